import { grants, type Uplink } from 'tideway'
import type { JsonObject } from 'tideway/adapters/kubernetes/objects'
import { MemoryHub } from 'tideway/transports/memory'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kubectlFor, startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { openTestReplica } from '../support/fleet.ts'
import { type Outcome, type Send, sendTo } from '../support/kind-cases.ts'
import { KUBECTL_HINT, newestKubectl } from '../support/kubectl.ts'
import { skipUnless } from '../support/skip.ts'
import { untilShown } from '../support/until-shown.ts'
import { startWebhookServer } from '../support/webhook-server.ts'

const GROUP = '/apis/admissionregistration.k8s.io/v1'
const MAPS = '/api/v1/namespaces/default/configmaps'

const audit: JsonObject[] = []
let target: TestApiServer
let send: Send

beforeAll(async () => {
  target = await startTestApiServer({
    audit: (event) => audit.push(event),
    // It takes its time, as one that asks somebody does.
    authorize: async (user) =>
      Promise.resolve(user.name.endsWith(':nobody') ? { reason: 'nobody may' } : true),
  })
  send = sendTo({ url: target.server.url, token: target.token, caPem: target.caPem })
})
afterAll(() => target.close())

/** Puts a policy in force for config maps with the label `case`. */
async function enforce(to: Send, name: string, spec: object, binding: object = {}): Promise<void> {
  const apiVersion = 'admissionregistration.k8s.io/v1'
  const rule = { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }
  const matchConstraints = {
    resourceRules: [{ ...rule, operations: ['CREATE', 'UPDATE'] }],
    objectSelector: { matchLabels: { case: name } },
  }
  const policy = {
    apiVersion,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: { matchConstraints, ...spec },
  }
  const bound = {
    apiVersion,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'], ...binding },
  }
  const made = [
    await to('POST', `${GROUP}/validatingadmissionpolicies`, { body: policy }),
    await to('POST', `${GROUP}/validatingadmissionpolicybindings`, { body: bound }),
  ]
  for (const { code, body } of made) expect(code, JSON.stringify(body)).toBe(201)
}

let count = 0
const map = (label: string, data: object = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: `map-${++count}`, labels: { case: label } },
  data: data as JsonObject,
})
const create = (label: string, data: object = {}, to: Send = send): Promise<Outcome> =>
  to('POST', MAPS, { body: map(label, data) })
const messageOf = ({ body }: Outcome): string => String((body as JsonObject)['message'])

test('an authorizer that takes its time is asked once for each question, for accounts too', async () => {
  const account = "authorizer.serviceAccount('default', 'nobody')"
  const check = "group('').resource('secrets').namespace('default').check('get')"
  await enforce(send, 'asks', {
    variables: [{ name: 'mine', expression: `authorizer.${check}` }],
    validations: [
      { expression: `variables.mine.allowed() && authorizer.${check}.allowed()` },
      { expression: `authorizer.path('/metrics').check('get').allowed()` },
      {
        expression: `object.data.who != 'nobody' || ${account}.${check}.allowed()`,
        messageExpression: "'no: ' + object.data.who",
      },
    ],
  })
  expect((await create('asks', { who: 'me' })).code).toBe(201)
  expect(messageOf(await create('asks', { who: 'nobody' }))).toMatch(/denied request: no: nobody$/)
  await enforce(send, 'reasons', {
    validations: [{ expression: `${account}.${check}.reason() == 'nobody may'` }],
  })
  expect((await create('reasons')).code).toBe(201)
})

test('what a policy notes reaches the audit', async () => {
  await enforce(
    send,
    'notes',
    {
      validations: [{ expression: "object.data.a != 'x'", message: 'no x' }],
      auditAnnotations: [
        { key: 'seen', valueExpression: "'a is ' + object.data.a" },
        { key: 'nothing', valueExpression: "''" },
      ],
    },
    { validationActions: ['Audit'] },
  )
  expect((await create('notes', { a: 'x' })).code).toBe(201)
  const noted = (): JsonObject | undefined =>
    audit
      .map((event) => (event['annotations'] ?? {}) as JsonObject)
      .find((annotations) => annotations['notes/seen'] !== undefined)
  await expect.poll(noted, { timeout: 30_000 }).toBeDefined()
  const found = noted()
  expect(found?.['notes/seen']).toBe('a is x')
  expect(found).not.toHaveProperty('notes/nothing')
  const failure = found?.['validation.policy.admission.k8s.io/validation_failure']
  expect(JSON.parse(String(failure))).toEqual([
    {
      message: 'no x',
      policy: 'notes',
      binding: 'notes',
      expressionIndex: 0,
      validationActions: ['Audit'],
    },
  ])
})

test('a policy that costs too much is given up, and others are answered meanwhile', async () => {
  const loop = (depth: number): string =>
    depth === 0 ? 'true' : `[1,2,3,4,5,6,7,8,9,10].all(i${depth}, ${loop(depth - 1)})`
  const expression = loop(9)
  await enforce(send, 'endless', {
    validations: Array.from({ length: 20 }, () => ({ expression })),
  })
  let isDone = false
  const endless = create('endless').then((outcome) => {
    isDone = true
    return outcome
  })
  for (let i = 0; i < 3; i++) expect((await send('GET', MAPS)).code).toBe(200)
  expect(isDone).toBe(false)
  expect(messageOf(await endless)).toContain('validation failed due to running out of cost budget')
})

test('what functions look through costs too', async () => {
  const items = 'object.data.long.split("")'
  const costly = [
    `${items}.all(c, object.data == object.data)`,
    `${items}.all(c, !object.data.long.matches("(a|b)*c"))`,
    `sets.intersects(${items}, ${items}) && ${items}.all(c, sets.contains(${items}, ${items}))`,
    `${items}.distinct().size() == 1 && ${items}.all(c, ${items}.distinct().size() == 1)`,
  ]
  for (const [index, expression] of costly.entries()) {
    await enforce(send, `look-${index}`, { validations: [{ expression }] })
    const outcome = await create(`look-${index}`, { long: 'a'.repeat(5_000) })
    expect(messageOf(outcome)).toContain('cost')
  }
})

test('a policy of more parts than anybody reads is refused, and soon', async () => {
  const body = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'wide' },
    spec: {
      variables: Array.from({ length: 30_000 }, (_, i) => ({ name: `v${i}`, expression: '1' })),
      validations: [{ expression: 'true' }],
    },
  }
  const outcome = await send('POST', `${GROUP}/validatingadmissionpolicies`, { body })
  expect(messageOf(outcome)).toContain('Too many: 30000: must have at most 1000 items')
})

test('a node that is cut off puts policies in force, with the parameters that it has', async () => {
  const all = { read: ['*'], write: ['*'] }
  const hub = new MemoryHub()
  let link: Uplink | undefined
  const sides: TestApiServer[] = []
  try {
    for (const [name, other] of [
      ['cloud', 'edge'],
      ['edge', 'cloud'],
    ] as const) {
      const replica = await openTestReplica({ name, policy: grants({ [other]: all }) })
      sides.push(await startTestApiServer({}, { controllers: false, replica }))
    }
    const [cloud, edge] = sides as [TestApiServer, TestApiServer]
    cloud.replica.serve(hub.listen('memory:cloud'))
    const transport = hub.transport({ principal: 'edge' })
    const collections = ['cluster', 'namespace/default']
    link = edge.replica.connect({ transport, address: 'memory:cloud', collections })
    const [atCloud, atEdge] = [cloud, edge].map(({ server, token, caPem }) =>
      sendTo({ url: server.url, token, caPem }),
    ) as [Send, Send]
    const limits = { ...map('limits', { most: '2' }), metadata: { name: 'limits' } }
    expect((await atCloud('POST', MAPS, { body: limits })).code).toBe(201)
    await enforce(
      atCloud,
      'limited',
      {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        validations: [
          {
            expression: 'object.data.size() <= int(params.data.most)',
            messageExpression: "'at most ' + params.data.most",
          },
        ],
      },
      { paramRef: { name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' } },
    )
    const resource = 'validatingadmissionpolicybindings.admissionregistration.k8s.io'
    await untilShown(edge.store, { resource, name: 'limited' })
    await untilShown(edge.store, { resource: 'configmaps', namespace: 'default', name: 'limits' })
    await link.close()
    link = undefined
    const three = { a: '1', b: '2', c: '3' }
    expect((await create('limited', { a: '1' }, atEdge)).code).toBe(201)
    const refused = await create('limited', three, atEdge)
    expect(refused.code).toBe(422)
    expect(messageOf(refused)).toMatch(
      /ValidatingAdmissionPolicy 'limited' with binding 'limited' denied request: at most 2$/,
    )
    const raised = { ...limits, data: { most: '3' } }
    expect((await atEdge('PUT', `${MAPS}/limits`, { body: raised })).code).toBe(200)
    expect((await create('limited', three, atEdge)).code).toBe(201)
  } finally {
    await link?.close()
    for (const side of sides) await side.close()
  }
})

test('kubectl is told what a policy refuses, and what it warns of', async (context) => {
  const found = await newestKubectl()
  skipUnless(context, found !== undefined, 'kubectl', KUBECTL_HINT)
  if (found === undefined) return
  const kubectl = kubectlFor(target, found.path)
  const policy = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: replicas}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments, deployments/scale]}
  validations:
  - expression: object.spec.replicas <= 3
    messageExpression: "'no more than 3, not ' + string(object.spec.replicas)"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: replicas}
spec: {policyName: replicas, validationActions: [Deny]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: replicas-of-team}
spec:
  policyName: replicas
  validationActions: [Warn]
  matchResources: {objectSelector: {matchLabels: {team: a}}}
`
  const applied = await kubectl(['apply', '-f', '-'], { input: policy })
  expect(applied.stderr).toBe('')
  expect(applied.code).toBe(0)
  const deploy = ['create', 'deployment', 'web', '--image=i']
  const refused = await kubectl([...deploy, '--replicas=4'])
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain(
    `deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'replicas' with binding 'replicas' denied request: no more than 3, not 4`,
  )
  expect((await kubectl([...deploy, '--replicas=2'])).stdout).toBe('deployment.apps/web created\n')
  const scaled = await kubectl(['scale', 'deployment/web', '--replicas=9'])
  expect(scaled.stderr).toContain('denied request: no more than 3, not 9')
  expect((await kubectl(['label', 'deployment/web', 'team=a'])).stderr).toBe('')
  await kubectl(['delete', 'validatingadmissionpolicybinding', 'replicas'])
  const warned = await kubectl(['patch', 'deployment/web', '-p', '{"spec":{"replicas":5}}'])
  expect(warned.stdout).toBe('deployment.apps/web patched\n')
  expect(warned.stderr).toContain(
    `Warning: Validation failed for ValidatingAdmissionPolicy 'replicas' with binding 'replicas-of-team': no more than 3, not 5`,
  )
  const rows = await kubectl(['get', 'validatingadmissionpolicy,validatingadmissionpolicybinding'])
  expect(rows.stdout).toMatch(/\/replicas +1 +<unset> +/)
  expect(rows.stdout).toMatch(/\/replicas-of-team +replicas +<unset> +/)
  const explained = await kubectl(['explain', 'validatingadmissionpolicy.spec.validations.reason'])
  expect(explained.stdout).toContain('FIELD: reason <string>')
})

test('a webhook that does not answer keeps nobody waiting who does not need it', async () => {
  const hooks = await startWebhookServer()
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  try {
    hooks.meanwhile = () => released
    const webhook = {
      name: 'slow.example.com',
      clientConfig: { url: `${hooks.url}/allow`, caBundle: hooks.caBundle },
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      timeoutSeconds: 30,
      failurePolicy: 'Ignore',
      objectSelector: { matchLabels: { case: 'slow' } },
      rules: [
        { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['*'] },
      ],
    }
    const configuration = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: 'slow' },
      webhooks: [webhook],
    }
    const path = `${GROUP}/validatingwebhookconfigurations`
    expect((await send('POST', path, { body: configuration })).code).toBe(201)
    const writes = Array.from({ length: 500 }, async () => (await create('slow')).code)
    await expect.poll(() => hooks.asked.length, { timeout: 60_000 }).toBeGreaterThan(0)
    for (let i = 0; i < 20; i++) {
      expect((await send('GET', `${MAPS}?limit=1`)).code).toBe(200)
      expect((await create('other')).code).toBe(201)
    }
    release()
    const codes = new Set(await Promise.all(writes))
    // Of those that need it, some may be told to come back.
    codes.delete(429)
    expect([...codes]).toEqual([201])
  } finally {
    release()
    await send('DELETE', `${GROUP}/validatingwebhookconfigurations/slow`)
    await hooks.close()
  }
})
