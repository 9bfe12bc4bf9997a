import { consoleLogger, systemClock, systemRandom } from 'tideway'
import { createQuotaController } from 'tideway/adapters/kubernetes/controllers'
import { createNamespaceContent } from 'tideway/adapters/kubernetes/identity'
import { admittedStore } from 'tideway/adapters/kubernetes/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { admissionCases, playAdmission, recordedAdmission } from '../support/admission-cases.ts'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { sendTo } from '../support/kind-cases.ts'

// What is decided of objects by what else there is, beside what kube-apiserver decided.

let target: TestApiServer
const closing: { close(): Promise<void> }[] = []

beforeAll(async () => {
  target = await startTestApiServer({ serviceAccounts: true })
  const parts = {
    store: target.store,
    clock: systemClock,
    random: systemRandom,
    logger: consoleLogger('warn'),
  }
  closing.push(createNamespaceContent({ ...parts, caPem: 'the authority' }))
  closing.push(createQuotaController(parts))
})
afterAll(async () => {
  for (const part of closing) await part.close()
  await target.close()
})

// What one case leaves, the next may meet: none is tried twice.
describe('as kube-apiserver', { retry: 0 }, () => {
  const recorded = new Map(recordedAdmission().map((outcome) => [outcome.case, outcome]))
  for (const item of admissionCases()) {
    test(item.case, async () => {
      const send = sendTo({ ...target, url: target.server.url })
      expect(await playAdmission(send, item)).toEqual(recorded.get(item.case))
    })
  }
})

const quota = (name: string, pods: string): object => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name },
  spec: { hard: { pods } },
})

const pod = (name: string, namespace: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace },
  spec: { containers: [{ name: 'a', image: 'x' }] },
})

async function freshNamespace(name: string, pods: string): Promise<ReturnType<typeof sendTo>> {
  const send = sendTo({ ...target, url: target.server.url })
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
  expect((await send('POST', '/api/v1/namespaces', { body })).code).toBe(201)
  const quotas = `/api/v1/namespaces/${name}/resourcequotas`
  expect((await send('POST', quotas, { body: quota('few', pods) })).code).toBe(201)
  return send
}

test('requests at the same time do not get the same place', async () => {
  const send = await freshNamespace('crowd', '3')
  const path = '/api/v1/namespaces/crowd/pods'
  const names = Array.from({ length: 12 }, (_, index) => `pod-${index}`)
  const outcomes = await Promise.all(
    names.map((name) => send('POST', path, { body: pod(name, 'crowd') })),
  )
  expect(outcomes.map(({ code }) => code).sort()).toEqual([
    ...Array.from({ length: 3 }, () => 201),
    ...Array.from({ length: 9 }, () => 403),
  ])
  // A try that changes nothing takes no place either.
  const [first] = target.store.list('pods', 'crowd').items
  await send('DELETE', `${path}/${first?.metadata.name}?gracePeriodSeconds=0`)
  const dry = await send('POST', `${path}?dryRun=All`, { body: pod('dry', 'crowd') })
  expect(dry.code).toBe(201)
  expect((await send('POST', path, { body: pod('real', 'crowd') })).code).toBe(201)
  const late = await send('POST', path, { body: pod('late', 'crowd') })
  expect(late.body).toMatchObject({
    message:
      'pods "late" is forbidden: exceeded quota: few, requested: pods=1, used: pods=3, limited: pods=3',
  })
})

test('a pod in a namespace that was just made waits for its account', async () => {
  const send = await freshNamespace('fresh', '1')
  const outcome = await send('POST', '/api/v1/namespaces/fresh/pods', { body: pod('p', 'fresh') })
  expect(outcome).toMatchObject({ code: 201, body: { spec: { serviceAccountName: 'default' } } })
})

test('what controllers make beside the API is completed and bounded in the same way', async () => {
  await freshNamespace('made', '1')
  const store = admittedStore(target.store, { clock: systemClock })
  const made = await store.create(pod('one', 'made'), { author: 'test' })
  expect(made).toMatchObject({
    spec: { serviceAccountName: 'default', priority: 0, restartPolicy: 'Always' },
    status: { phase: 'Pending', qosClass: 'BestEffort' },
  })
  expect(made['spec']).toHaveProperty('volumes.0.projected.sources.0.serviceAccountToken')
  await expect(store.create(pod('two', 'made'))).rejects.toThrow(
    'pods "two" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1',
  )
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm', namespace: 'made' } }
  expect((await store.create(map)).metadata.uid).toBeDefined()
})
