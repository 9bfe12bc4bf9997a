import type { JsonObject, KubeObject } from 'tideway/adapters/kubernetes/objects'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connectPort } from '../../src/adapters/runtime/socket-stream.ts'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { type Outcome, type Send, sendTo } from '../support/kind-cases.ts'
import { startWebhookServer, type WebhookServer } from '../support/webhook-server.ts'

const GROUP = '/apis/admissionregistration.k8s.io/v1'
const MAPS = '/api/v1/namespaces/default/configmaps'
const PODS = '/api/v1/namespaces/default/pods'

let hooks: WebhookServer
let target: TestApiServer
let send: Send
const audit: JsonObject[] = []

beforeAll(async () => {
  hooks = await startWebhookServer()
  const unused = (): never => {
    throw new Error('nobody runs anything in a pod here')
  }
  target = await startTestApiServer({
    audit: (event) => audit.push(event),
    // Whatever pod is meant, what it listens with is the server of webhooks.
    streams: { exec: unused, attach: unused, portForward: () => connectPort(hooks.port) },
  })
  send = sendTo({ url: target.server.url, token: target.token, caPem: target.caPem })
})
afterAll(async () => {
  await target.close()
  await hooks.close()
})

type Hook = Readonly<Record<string, unknown>> & { readonly path: string }

/** Configures webhooks, in place of those before. */
async function configure(
  kind: 'mutating' | 'validating',
  ...given: readonly Hook[]
): Promise<void> {
  for (const other of ['mutating', 'validating'])
    await send('DELETE', `${GROUP}/${other}webhookconfigurations/test`)
  const name = `${kind === 'mutating' ? 'Mutating' : 'Validating'}WebhookConfiguration`
  const webhooks = given.map(({ path, ...hook }, index) => ({
    name: `hook-${index}.example.com`,
    clientConfig: { url: `${hooks.url}${path}`, caBundle: hooks.caBundle },
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    timeoutSeconds: 30,
    rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['*'] }],
    ...hook,
  }))
  const apiVersion = 'admissionregistration.k8s.io/v1'
  const body = { apiVersion, kind: name, metadata: { name: 'test' }, webhooks }
  const made = await send('POST', `${GROUP}/${kind}webhookconfigurations`, { body })
  expect(made.code, JSON.stringify(made.body)).toBe(201)
}

let count = 0
const map = (more: object = {}): Record<string, unknown> => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: `map-${++count}`, ...more },
  data: { a: '1' },
})
const create = (body: object = map(), query = ''): Promise<Outcome> =>
  send('POST', `${MAPS}${query}`, { body })
const messageOf = ({ body }: Outcome): string => String((body as JsonObject)['message'])

describe('webhooks that change objects', () => {
  test('one adds a label to what is created, updated, patched and applied', async () => {
    await configure('mutating', { path: '/label' })
    const body = map()
    const { name } = body['metadata'] as { readonly name: string }
    expect(await create(body)).toMatchObject({
      code: 201,
      body: { metadata: { labels: { by: 'webhook' } } },
    })
    const patch = { metadata: { labels: { by: 'me' } } }
    const type = 'application/merge-patch+json'
    const patched = await send('PATCH', `${MAPS}/${name}`, { body: patch, type })
    expect(patched).toMatchObject({ code: 200, body: { metadata: { labels: { by: 'webhook' } } } })
    const put = await send('PUT', `${MAPS}/${name}`, { body: { ...body, data: { a: '2' } } })
    expect(put.body).toMatchObject({ data: { a: '2' }, metadata: { labels: { by: 'webhook' } } })
    const applied = await send('PATCH', `${MAPS}/applied?fieldManager=me`, {
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' } },
      type: 'application/apply-patch+yaml',
    })
    expect(applied).toMatchObject({ code: 201, body: { metadata: { labels: { by: 'webhook' } } } })
    expect(await send('GET', `${MAPS}/${name}`)).toMatchObject({
      body: { metadata: { labels: { by: 'webhook' } } },
    })
  })

  test('a try leaves nothing, and is refused where a webhook would do something', async () => {
    await configure('mutating', { path: '/label' })
    const body = map()
    expect(await create(body, '?dryRun=All')).toMatchObject({
      code: 201,
      body: { metadata: { labels: { by: 'webhook' } } },
    })
    const { name } = body['metadata'] as { readonly name: string }
    expect((await send('GET', `${MAPS}/${name}`)).code).toBe(404)
    expect(hooks.asked.at(-1)?.question).toMatchObject({ dryRun: true })
  })

  test('who wants to see later changes is asked again, once', async () => {
    const again = { reinvocationPolicy: 'IfNeeded' }
    await configure('mutating', { path: '/count', ...again }, { path: '/label' })
    expect((await create()).body).toMatchObject({ metadata: { labels: { count: '2' } } })
    await configure('mutating', { path: '/label' }, { path: '/count', ...again })
    expect((await create()).body).toMatchObject({ metadata: { labels: { count: '1' } } })
  })

  test('a name is given out when the webhooks have seen the object', async () => {
    await configure('mutating', { path: '/label' })
    const made = await create(map({ name: undefined, generateName: 'some-' }))
    expect(made.body).toMatchObject({ metadata: { labels: { by: 'webhook' } } })
    expect(hooks.asked.at(-1)?.question['name']).toBeUndefined()
  })

  test.each([
    ['/patch/missing', 'Internal error occurred: '],
    ['/patch/kind', 'breaks the object: it is of v1 Secret now'],
    ['/patch/type', 'breaks the object: '],
    ['/patch/base64', 'received undecodable patch in webhook response: '],
    ['/patch/merge', 'unsupported patch type'],
    ['/patch/deep', 'received undecodable patch in webhook response: '],
    ['/patch/untyped', 'webhook returned response.patch but not response.patchType'],
  ])('a bad patch is told as what it is: %s', async (path, text) => {
    await configure('mutating', { path })
    const answer = await create()
    expect(answer.code).toBe(500)
    expect(messageOf(answer)).toContain(text)
  })

  test('what a patch makes of an object is checked like any other', async () => {
    await configure('mutating', { path: '/patch/name' })
    const answer = await create()
    expect(answer.code).toBe(422)
    expect(messageOf(answer)).toContain('data[a key]: Invalid value')
    await configure('mutating', { path: '/patch/unknown' })
    expect((await create()).code).toBe(201)
  })
})

describe('webhooks that refuse', () => {
  test('a refusal is told with the Status that the webhook gave', async () => {
    await configure('validating', { path: '/deny' })
    expect(await create()).toMatchObject({
      code: 403,
      body: {
        status: 'Failure',
        reason: 'Forbidden',
        message: 'admission webhook "hook-0.example.com" denied the request: not today',
      },
    })
    await configure('validating', { path: '/deny/plainly' })
    expect(messageOf(await create())).toMatch(/denied the request without explanation$/)
  })

  test('a deletion is looked at, and so are many', async () => {
    await configure('validating')
    const body = map({ labels: { kept: 'yes' } })
    const { name } = body['metadata'] as { readonly name: string }
    expect((await create(body)).code).toBe(201)
    const rule = {
      apiGroups: [''],
      apiVersions: ['v1'],
      resources: ['configmaps'],
      operations: ['DELETE'],
    }
    await configure('validating', { path: '/deny', rules: [rule] })
    expect((await send('DELETE', `${MAPS}/${name}`)).code).toBe(403)
    expect((await send('DELETE', `${MAPS}?labelSelector=kept=yes`)).code).toBe(403)
    expect((await send('GET', `${MAPS}/${name}`)).code).toBe(200)
    expect(hooks.asked.at(-1)?.question).toMatchObject({ operation: 'DELETE', object: null })
    await configure('validating')
    expect((await send('DELETE', `${MAPS}/${name}`)).code).toBe(200)
  })

  test('configurations of webhooks are nothing that a webhook could refuse', async () => {
    const rule = { apiGroups: ['*'], apiVersions: ['*'], resources: ['*'], operations: ['*'] }
    await configure('validating', { path: '/deny', rules: [rule] })
    expect((await send('POST', MAPS, { body: map() })).code).toBe(403)
    await configure('validating')
    expect((await create()).code).toBe(201)
  })

  test('selectors and conditions decide who is asked', async () => {
    const match = [{ name: 'big', expression: "has(object.data) && object.data.a == 'big'" }]
    await configure('validating', { path: '/deny', matchConditions: match })
    expect((await create()).code).toBe(201)
    expect((await create({ ...map(), data: { a: 'big' } })).code).toBe(403)
    await configure('validating', {
      path: '/deny',
      objectSelector: { matchLabels: { watched: 'yes' } },
    })
    expect((await create()).code).toBe(201)
    expect((await create(map({ labels: { watched: 'yes' } }))).code).toBe(403)
    await configure('validating', {
      path: '/deny',
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } },
    })
    expect((await create()).code).toBe(201)
  })

  test('notes of a webhook reach the audit', async () => {
    await configure('validating', { path: '/annotate' })
    audit.length = 0
    expect((await create()).code).toBe(201)
    await expect
      .poll(() => audit.some((event) => JSON.stringify(event).includes('hook-0.example.com/seen')))
      .toBe(true)
  })
})

describe('objects that change while webhooks look at them', () => {
  const type = 'application/merge-patch+json'
  const rule = { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }
  const kept = { objectSelector: { matchLabels: { kept: 'yes' } } }
  let name = ''
  let path = ''

  beforeEach(async () => {
    await configure('validating')
    const body = map()
    name = (body['metadata'] as { readonly name: string }).name
    path = `${MAPS}/${name}`
    expect((await create(body)).code).toBe(201)
  })
  afterEach(() => {
    hooks.meanwhile = undefined
  })

  /** Has the object change when somebody is asked, so many times. */
  function changing(times: number, change: (found: KubeObject) => KubeObject): void {
    let left = times
    hooks.meanwhile = async () => {
      left -= 1
      const key = { resource: 'configmaps', namespace: 'default', name }
      if (left >= 0) await target.store.update(key, change, { part: 'desired' })
    }
  }

  test('a deletion is asked about again', async () => {
    const rules = [{ ...rule, operations: ['DELETE'] }]
    await configure('validating', { path: '/allow', rules }, { path: '/deny', rules, ...kept })
    changing(1, (found) => ({
      ...found,
      metadata: { ...found.metadata, labels: { kept: 'yes' } },
    }))
    expect((await send('DELETE', path)).code).toBe(403)
    expect((await send('GET', path)).code).toBe(200)
  })

  test('an update is made anew, and given up when the object does not stand still', async () => {
    const rules = [{ ...rule, operations: ['UPDATE'] }]
    await configure('mutating', { path: '/allow', rules })
    let count = 0
    const withMore = (found: KubeObject): KubeObject => {
      count += 1
      return { ...found, data: { ...(found['data'] as JsonObject), b: `${count}` } }
    }
    changing(1, withMore)
    const made = await send('PATCH', path, { body: { data: { c: '3' } }, type })
    expect(made).toMatchObject({ code: 200, body: { data: { a: '1', b: '1', c: '3' } } })
    changing(100, withMore)
    const refused = await send('PATCH', path, { body: { data: { c: '4' } }, type })
    expect(refused.code).toBe(409)
    expect(messageOf(refused)).toMatch(
      /^Operation cannot be fulfilled on configmaps "map-\d+": the object has been modified; please/,
    )
  })
})

test('what is asked of a connection has no labels, and is what a webhook makes of it', async () => {
  const containers = ['main', 'other'].map((name) => ({ name, image: 'i' }))
  const metadata = { name: 'connected' }
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers, nodeName: 'node-1' } }
  expect((await send('POST', PODS, { body: pod })).code).toBe(201)
  const exec = `${PODS}/connected/exec?command=id&stdout=true&container=none`
  const operations = ['CONNECT']
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods/exec'], operations }]
  const objectSelector = { matchLabels: { app: 'x' } }
  await configure('validating', { path: '/deny', rules, objectSelector })
  expect(messageOf(await send('POST', exec))).toMatch(/container none/)
  await configure('validating', { path: '/deny', rules })
  expect((await send('POST', exec)).code).toBe(403)
  await configure('mutating', { path: '/patch/container', rules })
  expect(messageOf(await send('POST', exec))).toBe('Upgrade request required')
})

test('a service leads to one of its ready pods', async () => {
  const labels = { app: 'hooks' }
  const meta = { name: 'hooks', namespace: 'default', labels }
  const ports = [{ port: 443, targetPort: 9_443 }]
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta,
    spec: { selector: labels, ports },
  }
  expect((await send('POST', '/api/v1/namespaces/default/services', { body: service })).code).toBe(
    201,
  )
  const clientConfig = {
    service: { namespace: 'default', name: 'hooks', path: '/label' },
    caBundle: hooks.caBundle,
  }
  await configure('mutating', { path: '', clientConfig })
  expect(messageOf(await create())).toMatch(/no endpoints available for service "hooks"$/)
  const spec = { containers: [{ name: 'c', image: 'i' }], nodeName: 'node-1' }
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: meta, spec }
  expect((await send('POST', '/api/v1/namespaces/default/pods', { body: pod })).code).toBe(201)
  const ready = { type: 'Ready', status: 'True' }
  const status = { podIP: '10.1.2.3', podIPs: [{ ip: '10.1.2.3' }], conditions: [ready] }
  const type = 'application/merge-patch+json'
  const path = '/api/v1/namespaces/default/pods/hooks/status'
  expect((await send('PATCH', path, { body: { status }, type })).code).toBe(200)
  const made = await create()
  expect(made.body).toMatchObject({ metadata: { labels: { by: 'webhook' } } })
})

describe('webhooks that do not answer as they should', () => {
  const failures: readonly (readonly [path: string, text: RegExp])[] = [
    ['/uid', /expected response\.uid="[^"]+", got "another"/],
    ['/json', /invalid character 'o' looking for beginning of value/],
    ['/list', /the answer is not an object|cannot unmarshal/],
    ['/empty', /failed to call webhook/],
    ['/absent', /webhook response was absent/],
    ['/kind', /no kind "Pod" is registered|expected webhook response/],
    ['/deep', /failed to call webhook|response was absent/],
    ['/huge', /the answer is longer than 8388608 bytes/],
    ['/cut', /Post "https:\/\/127\.0\.0\.1:\d+\/cut\?timeout=30s": EOF/],
    ['/status', /an error on the server \("boom"\) has prevented the request from succeeding/],
    ['/status/404', /the server could not find the requested resource/],
    ['/redirect', /failed to call webhook/],
  ]
  test.each(failures)(
    '%s is an error that says why, or nothing to care about',
    async (path, text) => {
      await configure('validating', { path })
      const refused = await create()
      expect(refused.code).toBe(500)
      expect(messageOf(refused)).toMatch(
        /^Internal error occurred: failed calling webhook "hook-0\.example\.com": /,
      )
      expect(messageOf(refused)).toMatch(text)
      await configure('validating', { path, failurePolicy: 'Ignore' })
      expect((await create()).code).toBe(201)
    },
  )

  test('one that says nothing is waited for as long as it says', async () => {
    await configure('validating', { path: '/slow', timeoutSeconds: 1 })
    const refused = await create()
    expect(refused.code).toBe(500)
    expect(messageOf(refused)).toMatch(/context deadline exceeded$/)
  })

  test('one that is not there, or is not who it should be, is told apart', async () => {
    const unknown = { url: hooks.url }
    await configure('validating', { path: '/allow', clientConfig: unknown })
    expect(messageOf(await create())).toMatch(/x509: certificate signed by unknown authority$/)
    await configure('validating', {
      path: '/allow',
      clientConfig: { url: 'https://127.0.0.1:1/x', caBundle: hooks.caBundle },
    })
    expect(messageOf(await create())).toMatch(
      /Post "https:\/\/127\.0\.0\.1:1\/x\?timeout=30s": dial tcp 127\.0\.0\.1:1: connect: connection refused$/,
    )
    await configure('validating', {
      path: '/allow',
      clientConfig: { service: { namespace: 'default', name: 'none' } },
    })
    expect(messageOf(await create())).toMatch(
      /Post "https:\/\/none\.default\.svc:443\/\?timeout=30s": service "none" not found$/,
    )
  })
})

beforeEach(() => {
  count += 100
})
