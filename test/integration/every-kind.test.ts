import { request } from 'node:https'
import type { Resource } from 'tideway/adapters/kubernetes/objects'
import { builtinResources } from 'tideway/adapters/kubernetes/objects'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeProtobuf } from '../../src/adapters/kubernetes/server/protobuf/decode.ts'
import { readFields } from '../../src/adapters/kubernetes/server/protobuf/wire.ts'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { KIND_SAMPLES, SAMPLE_NAMES } from '../support/kind-samples.ts'

interface Answer {
  readonly code: number
  readonly type: string
  readonly bytes: Buffer
  readonly json: Body
}

interface Body {
  readonly kind: string
  readonly apiVersion: string
  readonly message?: string
  readonly items: readonly Body[]
  readonly metadata: {
    readonly name: string
    readonly resourceVersion: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
}

const PROTOBUF = 'application/vnd.kubernetes.protobuf'
const JSON_TYPE = 'application/json'

let target: TestApiServer
beforeAll(async () => {
  target = await startTestApiServer()
})
afterAll(() => target.close())

function send(
  method: string,
  path: string,
  sent: { readonly body?: unknown; readonly type?: string; readonly accept?: string } = {},
  isWatch = false,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, target.server.url), {
      method,
      ca: target.caPem,
      agent: false,
      headers: {
        authorization: `Bearer ${target.token}`,
        accept: sent.accept ?? JSON_TYPE,
        'content-type': sent.type ?? JSON_TYPE,
      },
    })
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => {
        pieces.push(piece)
        // The first piece of a watch is enough.
        if (isWatch) outgoing.destroy()
      })
      response.on('error', () => undefined)
      response.on('close', () => {
        const bytes = Buffer.concat(pieces)
        const type = String(response.headers['content-type'])
        const isJson = type === JSON_TYPE && !isWatch
        const json = (isJson ? JSON.parse(bytes.toString()) : {}) as Body
        resolve({ code: response.statusCode ?? 0, type, bytes, json })
      })
    })
    outgoing.end(sent.body === undefined ? undefined : JSON.stringify(sent.body))
  })
}

/** Where a resource is in one of its versions, and where one object of it is. */
function pathsOf(resource: Resource, group: string, version: string): [list: string, one: string] {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const list = `${root}${resource.namespaced ? '/namespaces/default' : ''}/${resource.plural}`
  return [list, `${list}/${nameOf(resource)}`]
}

function nameOf(resource: Resource): string {
  return SAMPLE_NAMES[resource.id] ?? 'sample'
}

function apiVersionOf(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`
}

describe.each(builtinResources.map((resource) => [resource.id, resource] as const))(
  '%s',
  (_id, resource) => {
    const { group, version, kind } = resource
    const apiVersion = apiVersionOf(group, version)
    const [list, one] = pathsOf(resource, group, version)
    const name = nameOf(resource)

    test('is created, read, patched, applied, watched and deleted', async () => {
      const body = { apiVersion, kind, metadata: { name }, ...KIND_SAMPLES[resource.id] }
      const created = await send('POST', `${list}?fieldValidation=Strict`, { body })
      expect(created.json).toMatchObject({ kind, apiVersion, metadata: { name } })
      expect(created.code).toBe(201)

      const listed = await send('GET', list)
      expect(listed.json.kind).toBe(`${kind}List`)
      expect(listed.json.items.map((item) => item.metadata.name)).toContain(name)

      const patched = await send('PATCH', `${one}?fieldManager=a`, {
        body: { metadata: { labels: { patched: 'yes' } } },
        type: 'application/strategic-merge-patch+json',
      })
      expect(patched.json).toMatchObject({ metadata: { labels: { patched: 'yes' } } })
      const applied = await send('PATCH', `${one}?fieldManager=b`, {
        body: { apiVersion, kind, metadata: { name, annotations: { applied: 'yes' } } },
        type: 'application/apply-patch+yaml',
      })
      expect(applied.json).toMatchObject({ metadata: { annotations: { applied: 'yes' } } })
      const replaced = await send('PUT', one, { body: applied.json })
      expect(replaced.code, replaced.json.message).toBe(200)

      const since = created.json.metadata.resourceVersion
      const changes = await send('GET', `${list}?watch=true&resourceVersion=${since}`, {}, true)
      expect(changes.bytes.toString()).toContain('"type":"MODIFIED"')

      await checkVersions(resource)
      await checkProtobuf(list, one)
      const deleted = await send('DELETE', `${one}?gracePeriodSeconds=0`)
      expect(deleted.code, deleted.json.message).toBe(200)
    })
  },
)

/** The same object in its other versions. */
async function checkVersions(resource: Resource): Promise<void> {
  for (const view of resource.views) {
    const apiVersion = apiVersionOf(view.group, view.version)
    const [list, one] = pathsOf(resource, view.group, view.version)
    const shown = await send('GET', one)
    expect(shown.json).toMatchObject({ apiVersion, kind: resource.kind })
    const listed = await send('GET', list)
    expect(listed.json.apiVersion).toBe(apiVersion)
    const written = await send('PUT', one, { body: shown.json })
    expect(written.json).toMatchObject({ apiVersion, metadata: { name: nameOf(resource) } })
  }
}

/** One object, the list and a watch in protobuf say what JSON says. */
async function checkProtobuf(list: string, one: string): Promise<void> {
  const accept = `${PROTOBUF},${JSON_TYPE}`
  const [json, binary] = [await send('GET', one), await send('GET', one, { accept })]
  expect(binary.type).toBe(PROTOBUF)
  const decoded = decodeProtobuf(binary.bytes)
  expect(decoded).toMatchObject({ kind: json.json.kind, apiVersion: json.json.apiVersion })
  expect(decoded.value).toMatchObject({ metadata: { name: json.json.metadata.name } })
  expect((await send('GET', list, { accept })).type).toBe(PROTOBUF)
  const watched = await send('GET', `${list}?watch=true`, { accept }, true)
  expect(watched.type).toBe(`${PROTOBUF};stream=watch`)
  const length = watched.bytes.readUInt32BE(0)
  const [type] = [...readFields(watched.bytes.subarray(4, 4 + length))]
  expect(Buffer.from(type?.value as Uint8Array).toString()).toBe('ADDED')
}
