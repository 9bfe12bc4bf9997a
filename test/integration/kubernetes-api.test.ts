import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'

/** What of an answer these tests look at. */
interface Body {
  readonly message: string
  readonly items: readonly Body[]
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly resourceVersion: string
    readonly continue?: string
    readonly labels?: unknown
    readonly annotations?: unknown
    readonly deletionTimestamp?: string
  }
  readonly spec: { readonly nodeName?: string }
  readonly data?: unknown
  readonly dat?: unknown
  readonly columnDefinitions: readonly { readonly name: string }[]
}

interface Answer {
  readonly code: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  readonly json: Body
}

interface Sent {
  readonly body?: string | Uint8Array
  readonly type?: string
  readonly accept?: string
  readonly token?: string
}

let target: TestApiServer

beforeAll(async () => {
  target = await startTestApiServer()
})
afterAll(() => target.close())

function open(method: string, path: string, sent: Sent = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, target.server.url), {
      method,
      ca: target.caPem,
      agent: false,
      headers: {
        authorization: `Bearer ${sent.token ?? target.token}`,
        ...(sent.body === undefined
          ? {}
          : {
              'content-type': sent.type ?? 'application/json',
              'content-length': Buffer.byteLength(sent.body),
            }),
        ...(sent.accept === undefined ? {} : { accept: sent.accept }),
      },
    })
    outgoing.on('response', resolve)
    outgoing.on('error', reject)
    outgoing.end(sent.body)
  })
}

async function call(method: string, path: string, sent: Sent = {}): Promise<Answer> {
  const response = await open(method, path, sent)
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  const text = Buffer.concat(pieces).toString()
  const isJson = String(response.headers['content-type']).startsWith('application/json')
  return {
    code: response.statusCode ?? 0,
    headers: response.headers,
    text,
    json: isJson && text !== '' ? JSON.parse(text) : undefined,
  }
}

const PODS = '/api/v1/namespaces/default/pods'
const MAPS = '/api/v1/namespaces/default/configmaps'
const configMap = (name: string, labels = {}, data = {}): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data })

/** Reads events of a watch until `count` are there. */
async function events(path: string, count: number): Promise<{ type: string; object: Body }[]> {
  const response = await open('GET', path)
  expect(response.statusCode).toBe(200)
  const found: { type: string; object: Body }[] = []
  let rest = ''
  for await (const piece of response) {
    rest += String(piece)
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) found.push(JSON.parse(line))
    if (found.length >= count) break
  }
  response.destroy()
  return found
}

describe('bad input', () => {
  const cases: readonly [string, string, string, Sent, number, RegExp][] = [
    ['malformed JSON', 'POST', MAPS, { body: '{"a":' }, 400, /json parse error/],
    ['an empty body', 'POST', MAPS, { body: '' }, 400, /unexpected end of JSON input \(<empty>\)/],
    ['a list', 'POST', MAPS, { body: '[]' }, 400, /cannot unmarshal array/],
    ['malformed YAML', 'POST', MAPS, { body: 'a: [', type: 'application/yaml' }, 400, /yaml/],
    [
      'another kind',
      'POST',
      MAPS,
      { body: '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}' },
      400,
      /Secret in version "v1" cannot be handled as a ConfigMap/,
    ],
    [
      'another version',
      'POST',
      MAPS,
      { body: '{"apiVersion":"v2","kind":"ConfigMap","metadata":{"name":"x"}}' },
      400,
      /API version in the data \(v2\) does not match/,
    ],
    [
      'a field of another type',
      'POST',
      PODS,
      { body: '{"kind":"Pod","spec":{"containers":"x"}}' },
      400,
      /cannot unmarshal string into Go struct field PodSpec.spec.containers of type \[\]v1.Container/,
    ],
    [
      'an unknown field, strictly',
      'POST',
      `${MAPS}?fieldValidation=Strict`,
      { body: '{"kind":"ConfigMap","metadata":{"name":"x"},"dat":{}}' },
      400,
      /strict decoding error: unknown field "dat"/,
    ],
    [
      'a field twice, strictly',
      'POST',
      `${MAPS}?fieldValidation=Strict`,
      { body: '{"kind":"ConfigMap","metadata":{"name":"x","name":"y"}}' },
      400,
      /duplicate field "metadata.name"/,
    ],
    ['deep nesting', 'POST', MAPS, { body: '['.repeat(5000) }, 400, /nested too deeply/],
    [
      'no name',
      'POST',
      MAPS,
      { body: '{"kind":"ConfigMap"}' },
      422,
      /name or generateName is required/,
    ],
    [
      'another namespace',
      'POST',
      MAPS,
      { body: '{"metadata":{"name":"x","namespace":"other"}}' },
      400,
      /does not match the namespace/,
    ],
    [
      'a version on create',
      'POST',
      MAPS,
      { body: '{"metadata":{"name":"x","resourceVersion":"1"}}' },
      500,
      /resourceVersion should not be set/,
    ],
    [
      'a namespace that is not there',
      'POST',
      '/api/v1/namespaces/none/configmaps',
      { body: configMap('x') },
      404,
      /namespaces "none" not found/,
    ],
    [
      'protobuf that is not',
      'POST',
      MAPS,
      { body: 'nope', type: 'application/vnd.kubernetes.protobuf' },
      400,
      /protobuf/,
    ],
    [
      'a media type nobody reads',
      'POST',
      MAPS,
      { body: 'x', type: 'text/html' },
      415,
      /accepted media types include: application\/json, application\/yaml/,
    ],
    [
      'a patch nobody reads',
      'PATCH',
      `${MAPS}/x`,
      { body: '{}', type: 'application/json' },
      415,
      /^415: Unsupported Media Type$/,
    ],
    [
      'an answer nobody gives',
      'GET',
      MAPS,
      { accept: 'text/html' },
      406,
      /Available representations: application\/json, /,
    ],
    [
      'an unknown resource',
      'GET',
      '/api/v1/namespaces/default/nopes',
      {},
      404,
      /could not find the requested resource/,
    ],
    [
      'an unknown subresource',
      'GET',
      `${PODS}/x/nope`,
      {},
      404,
      /could not find the requested resource/,
    ],
    [
      'a method that is not there',
      'DELETE',
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      {},
      405,
      /does not allow this method/,
    ],
    [
      'a label selector',
      'GET',
      `${PODS}?labelSelector=a%20in%20b`,
      {},
      400,
      /unable to parse requirement/,
    ],
    [
      'a field selector',
      'GET',
      `${PODS}?fieldSelector=a%3Db`,
      {},
      400,
      /field label not supported: a/,
    ],
    ['a limit', 'GET', `${PODS}?limit=x`, {}, 400, /parsing "x": invalid syntax/],
    ['a continue token', 'GET', `${PODS}?continue=abc`, {}, 400, /continue key is not valid/],
    ['a resourceVersion', 'GET', `${PODS}?resourceVersion=x`, {}, 400, /invalid resource version/],
    [
      'a resourceVersion from the future',
      'GET',
      `${PODS}?resourceVersion=99999999`,
      {},
      504,
      /Too large resource version/,
    ],
    ['a dry run', 'POST', `${MAPS}?dryRun=Some`, { body: configMap('x') }, 422, /dryRun/],
    ['an encoded path', 'GET', '/api/v1/namespaces/%ff/pods', {}, 400, /percent-encoding/],
    [
      'a propagation that there is not',
      'DELETE',
      `${MAPS}/x`,
      { body: '{"propagationPolicy":"Sideways"}' },
      422,
      /propagationPolicy: Unsupported value/,
    ],
    [
      'an apply without a manager',
      'PATCH',
      `${MAPS}/x`,
      { body: '{}', type: 'application/apply-patch+yaml' },
      422,
      /fieldManager: Required value/,
    ],
    ['no token', 'GET', PODS, { token: 'wrong' }, 401, /Unauthorized/],
  ]

  test.each(cases)('%s is answered with a Status', async (_, method, path, sent, code, message) => {
    const answer = await call(method, path, sent)
    expect(answer.json).toMatchObject({ kind: 'Status', status: 'Failure', code })
    expect(answer.json.message).toMatch(message)
    expect(answer.code).toBe(code)
  })

  test('a body past 3 MiB is refused while it is still coming', async () => {
    const answer = await call('POST', MAPS, {
      body: Buffer.alloc(3 * 1024 * 1024 + 1, 0x20),
    }).catch((error: unknown) => error)
    // A client that is still writing may see the connection end before it reads the answer.
    if (!(answer instanceof Error))
      expect(answer).toMatchObject({ code: 413, json: { reason: 'RequestEntityTooLarge' } })
    expect((await call('GET', '/readyz')).text).toBe('ok')
  })

  test('bytes that are not HTTP end that connection only', async () => {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(
        { port: target.server.port, host: '127.0.0.1', ca: target.caPem },
        () => {
          socket.write('\x00\x01\x02 nonsense\r\n\r\n')
        },
      )
      socket.on('data', () => undefined)
      socket.on('close', () => resolve())
      socket.on('error', reject)
    })
    expect((await call('GET', '/healthz')).code).toBe(200)
  })

  test('a path that is no API is a plain 404', async () => {
    expect(await call('GET', '/nope')).toMatchObject({ code: 404, text: '404 page not found\n' })
    expect((await call('GET', '/openapi/v1')).code).toBe(404)
    expect((await call('GET', '/openapi/v2')).json).toMatchObject({ swagger: '2.0' })
  })
})

describe('writes', () => {
  test('a stale resourceVersion is a conflict, of two at once one wins', async () => {
    const created = (await call('POST', MAPS, { body: configMap('cas', {}, { a: '0' }) })).json
    const body = (a: string): string => JSON.stringify({ ...created, data: { a } })
    const both = await Promise.all([
      call('PUT', `${MAPS}/cas`, { body: body('1') }),
      call('PUT', `${MAPS}/cas`, { body: body('2') }),
    ])
    expect(both.map((answer) => answer.code).sort()).toEqual([200, 409])
    const stale = await call('PUT', `${MAPS}/cas`, { body: body('3') })
    expect(stale.json).toMatchObject({
      reason: 'Conflict',
      details: { name: 'cas', kind: 'configmaps' },
    })
    expect(stale.json.message).toContain(
      'the object has been modified; please apply your changes to the latest version',
    )
  })

  test('of two creates at once one wins', async () => {
    const both = await Promise.all(
      [1, 2].map(() => call('POST', MAPS, { body: configMap('once') })),
    )
    expect(both.map((answer) => answer.code).sort()).toEqual([201, 409])
  })

  test('a write that changes nothing keeps the resourceVersion', async () => {
    const created = (await call('POST', MAPS, { body: configMap('still', {}, { a: '1' }) })).json
    const patch = { body: '{"data":{"a":"1"}}', type: 'application/merge-patch+json' }
    const again = (await call('PATCH', `${MAPS}/still`, patch)).json
    expect(again.metadata.resourceVersion).toBe(created.metadata.resourceVersion)
  })

  test('generateName makes names', async () => {
    const body = JSON.stringify({ kind: 'ConfigMap', metadata: { generateName: 'gen-' } })
    const { json } = await call('POST', MAPS, { body })
    expect(json.metadata.name).toMatch(/^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  })

  test('dryRun stores nothing', async () => {
    const answer = await call('POST', `${MAPS}?dryRun=All`, { body: configMap('ghost') })
    expect(answer.code).toBe(201)
    expect(answer.json.metadata.uid).toMatch(/^[0-9a-f-]{36}$/)
    expect((await call('GET', `${MAPS}/ghost`)).code).toBe(404)
  })

  test('unknown fields warn where they are not refused', async () => {
    const answer = await call('POST', MAPS, {
      body: '{"kind":"ConfigMap","metadata":{"name":"warned"},"dat":{}}',
    })
    expect(answer.code).toBe(201)
    expect(answer.headers.warning).toBe('299 - "unknown field \\"dat\\""')
    expect(answer.json.dat).toBeUndefined()
  })

  test('an object waits for its finalizers', async () => {
    const body = JSON.stringify({
      kind: 'ConfigMap',
      metadata: { name: 'held', finalizers: ['test.io/hold'] },
    })
    await call('POST', MAPS, { body })
    expect((await call('DELETE', `${MAPS}/held`)).json.metadata.deletionTimestamp).toBeDefined()
    expect((await call('GET', `${MAPS}/held`)).code).toBe(200)
    const patch = { body: '{"metadata":{"finalizers":null}}', type: 'application/merge-patch+json' }
    expect((await call('PATCH', `${MAPS}/held`, patch)).code).toBe(200)
    expect((await call('GET', `${MAPS}/held`)).code).toBe(404)
  })

  test('preconditions of a deletion hold', async () => {
    const created = (await call('POST', MAPS, { body: configMap('guarded') })).json
    const other = JSON.stringify({ preconditions: { uid: 'another' } })
    expect((await call('DELETE', `${MAPS}/guarded`, { body: other })).code).toBe(409)
    const right = JSON.stringify({ preconditions: { uid: created.metadata.uid } })
    expect((await call('DELETE', `${MAPS}/guarded`, { body: right })).json).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'guarded', kind: 'configmaps', uid: created.metadata.uid },
    })
  })

  test('a pod is bound once', async () => {
    const pod = {
      kind: 'Pod',
      metadata: { name: 'bound' },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    }
    await call('POST', PODS, { body: JSON.stringify(pod) })
    const body = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'bound' },
      target: { kind: 'Node', name: 'node-1' },
    })
    expect((await call('POST', `${PODS}/bound/binding`, { body })).code).toBe(201)
    expect((await call('GET', `${PODS}/bound`)).json.spec.nodeName).toBe('node-1')
    expect((await call('POST', `${PODS}/bound/binding`, { body })).json.message).toContain(
      'is already assigned to node "node-1"',
    )
    const eviction = JSON.stringify({
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: 'bound' },
      deleteOptions: { gracePeriodSeconds: 0 },
    })
    expect((await call('POST', `${PODS}/bound/eviction`, { body: eviction })).code).toBe(201)
    expect((await call('GET', `${PODS}/bound`)).code).toBe(404)
  })
})

describe('lists and watches', () => {
  test('a list comes in pages that end, and a watch from the first page misses nothing', async () => {
    for (const name of ['p1', 'p2', 'p3'])
      await call('POST', MAPS, { body: configMap(name, { page: 'yes' }) })
    const first = (await call('GET', `${MAPS}?labelSelector=page&limit=2`)).json
    expect(first.items.map((item) => item.metadata.name)).toEqual(['p1', 'p2'])
    await call('POST', MAPS, { body: configMap('p0', { page: 'yes' }) })
    const second = (
      await call('GET', `${MAPS}?labelSelector=page&limit=2&continue=${first.metadata.continue}`)
    ).json
    expect(second.items.map((item) => item.metadata.name)).toEqual(['p3'])
    expect(second.metadata.continue).toBeUndefined()
    const [event] = await events(
      `${MAPS}?watch=1&labelSelector=page&resourceVersion=${second.metadata.resourceVersion}`,
      1,
    )
    expect(event).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'p0' } } })
  })

  test('a continue token of another replica is expired', async () => {
    const token = Buffer.from(
      JSON.stringify({ v: 'meta.k8s.io/v1', rv: 1e9, start: 'default/a' }),
    ).toString('base64url')
    expect((await call('GET', `${MAPS}?limit=1&continue=${token}`)).json).toMatchObject({
      code: 410,
      reason: 'Expired',
    })
  })

  test('a selector sees objects come and go', async () => {
    const { resourceVersion } = (await call('GET', MAPS)).json.metadata
    const watching = events(
      `${MAPS}?watch=true&labelSelector=seen%3Dyes&resourceVersion=${resourceVersion}`,
      4,
    )
    const patch = (labels: object): Promise<Answer> =>
      call('PATCH', `${MAPS}/seen`, {
        body: JSON.stringify({ metadata: { labels } }),
        type: 'application/merge-patch+json',
      })
    await call('POST', MAPS, { body: configMap('seen') })
    await patch({ seen: 'yes' })
    await patch({ more: '1' })
    await patch({ seen: 'no' })
    await patch({ seen: 'yes' })
    const found = await watching
    expect(found.map((event) => event.type)).toEqual(['ADDED', 'MODIFIED', 'DELETED', 'ADDED'])
    expect(found[2]?.object.metadata.labels).toEqual({ seen: 'yes', more: '1' })
    const versions = found.map((event) => Number(event.object.metadata.resourceVersion))
    expect([...versions].sort((a, b) => a - b)).toEqual(versions)
  })

  test('a watch-list ends its beginning with a bookmark', async () => {
    await call('POST', MAPS, { body: configMap('listed', { wl: '1' }) })
    const query =
      'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=wl&timeoutSeconds=1'
    const found = await events(`${MAPS}?${query}`, 3)
    expect(found.map((event) => event.type)).toEqual(['ADDED', 'BOOKMARK', 'BOOKMARK'])
    expect(found[1]?.object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' })
    expect(Number(found[1]?.object.metadata.resourceVersion)).toBeGreaterThan(0)
    const refused = await call('GET', `${MAPS}?watch=true&sendInitialEvents=true`)
    expect(refused.json.message).toContain('sendInitialEvents requires')
  })

  test('a watch from a version of another life is told to begin again', async () => {
    const [event] = await events(`${MAPS}?watch=true&resourceVersion=999999999`, 1)
    expect(event).toMatchObject({
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired' },
    })
  })

  test('a watch of rows names its columns once', async () => {
    await call('POST', MAPS, { body: configMap('row1', { rows: '1' }) })
    const response = await open('GET', `${MAPS}?watch=true&labelSelector=rows`, {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
    })
    await call('POST', MAPS, { body: configMap('row2', { rows: '1' }) })
    let text = ''
    for await (const piece of response) {
      text += String(piece)
      if (text.split('\n').length > 2) break
    }
    const [first, second] = text
      .split('\n')
      .slice(0, 2)
      .map((line) => (JSON.parse(line) as { object: Body }).object)
    expect(first?.columnDefinitions.map((column) => column.name)).toEqual(['Name', 'Data', 'Age'])
    expect(second).toMatchObject({
      kind: 'Table',
      columnDefinitions: null,
      rows: [{ cells: ['row2', 0, '0s'] }],
    })
  })

  test('metadata alone, and YAML', async () => {
    const partial = await call('GET', `${MAPS}/row1`, {
      accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
    })
    expect(partial.json).toMatchObject({
      kind: 'PartialObjectMetadata',
      metadata: { name: 'row1' },
    })
    expect(partial.json.data).toBeUndefined()
    const yaml = await call('GET', `${MAPS}/row1`, { accept: 'application/yaml' })
    expect(yaml.headers['content-type']).toBe('application/yaml')
    expect(yaml.text).toContain('kind: ConfigMap\n')
  })
})

test('closing ends watches and log streams, and Node can exit', async () => {
  const short = await startTestApiServer()
  const path = '/api/v1/namespaces/default/configmaps?watch=true&allowWatchBookmarks=true'
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { authorization: `Bearer ${short.token}` }
    request(new URL(path, short.server.url), { ca: short.caPem, agent: false, headers }, resolve)
      .on('error', reject)
      .end()
  })
  let text = ''
  const ended = new Promise<void>((resolve) => {
    response.on('data', (piece: Buffer) => {
      text += String(piece)
    })
    response.on('end', resolve)
  })
  const start = Date.now()
  await short.close()
  await ended
  expect(text).toContain('"type":"BOOKMARK"')
  expect(Date.now() - start).toBeLessThan(4_000)
})

test('what is created passes admission before it is checked', async () => {
  const admitting = await startTestApiServer({
    admit: (key, object) =>
      key.resource === 'configmaps'
        ? { ...object, data: { ...(object['data'] as object), admitted: key.name } }
        : object,
  })
  const before = target
  target = admitting
  try {
    const body = JSON.stringify({ metadata: { name: 'm' }, data: { own: '1' } })
    const made = await call('POST', MAPS, { body })
    expect(made.code).toBe(201)
    expect(made.json.data).toEqual({ own: '1', admitted: 'm' })
  } finally {
    target = before
    await admitting.close()
  }
})
