// Writes test/fixtures/kubernetes-rbac/decisions.json: what a real kube-apiserver with
// --authorization-mode=RBAC decides about every user and request of test/support/rbac-cases.ts. It
// makes the roles and bindings there first, so give it a cluster of no value, with
// kube-controller-manager left out (the rules of admin, edit and view are filled in by this script).
//
//   npx tsx scripts/kubernetes/record-decisions.ts https://127.0.0.1:6443 TOKEN
import { writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { aggregatedRules } from '../../src/adapters/kubernetes/identity/aggregation.ts'
import type { KubeObject } from '../../src/adapters/kubernetes/objects/types.ts'
import { RBAC_OBJECTS, RBAC_USERS, rbacRequests } from '../../test/support/rbac-cases.ts'

const TARGET = new URL('../../test/fixtures/kubernetes-rbac/decisions.json', import.meta.url)
const [, , server = '', token = ''] = process.argv
const agent = new Agent({ keepAlive: true, maxSockets: 16 })
const RBAC = '/apis/rbac.authorization.k8s.io/v1'

function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  return new Promise((resolve, reject) => {
    const url = new URL(path, server)
    const sent = request(url, { method, headers, agent, rejectUnauthorized: false }, (response) => {
      let text = ''
      response.on('data', (piece: Buffer) => {
        text += piece.toString()
      })
      response.on('end', () => resolve(JSON.parse(text) as Record<string, unknown>))
    })
    sent.on('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

for (const object of RBAC_OBJECTS) {
  const { namespace } = object.metadata
  const place = namespace === undefined ? '' : `/namespaces/${namespace}`
  await call('POST', `${RBAC}${place}/${object.kind.toLowerCase()}s`, object)
}
const roles = (await call('GET', `${RBAC}/clusterroles`))['items'] as KubeObject[]
for (const name of ['view', 'edit', 'admin']) {
  const at = roles.findIndex((role) => role.metadata.name === name)
  const role = {
    ...(roles[at] as KubeObject),
    kind: 'ClusterRole',
    apiVersion: 'rbac.authorization.k8s.io/v1',
  }
  const filled = { ...role, rules: aggregatedRules(role, roles) }
  roles[at] = (await call('PUT', `${RBAC}/clusterroles/${name}`, filled)) as unknown as KubeObject
}

const decisions: Record<string, string> = {}
for (const user of RBAC_USERS) {
  const answers = await Promise.all(
    rbacRequests().map(async (attributes) => {
      const { path, verb, ...resource } = attributes
      const spec = {
        user: user.name,
        groups: user.groups,
        ...(path === ''
          ? { resourceAttributes: { verb, ...resource } }
          : { nonResourceAttributes: { verb, path } }),
      }
      const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec }
      const answer = await call(
        'POST',
        '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        review,
      )
      const status = answer['status'] as { allowed: boolean; reason?: string }
      return status.allowed ? '+' : (status.reason ?? '') === '' ? '-' : '?'
    }),
  )
  decisions[user.name] = answers.join('')
}
writeFileSync(
  TARGET,
  `${JSON.stringify({ source: 'kube-apiserver v1.36.3', decisions }, undefined, 1)}\n`,
)
agent.destroy()
