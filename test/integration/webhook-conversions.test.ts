import { get } from 'node:https'
import type { JsonObject } from 'tideway/adapters/kubernetes/objects'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { type Outcome, type Send, sendTo } from '../support/kind-cases.ts'
import { startWebhookServer, type WebhookServer } from '../support/webhook-server.ts'

let hooks: WebhookServer
let target: TestApiServer
let send: Send

beforeAll(async () => {
  hooks = await startWebhookServer()
  target = await startTestApiServer()
  send = sendTo({ url: target.server.url, token: target.token, caPem: target.caPem })
})
afterAll(async () => {
  await target.close()
  await hooks.close()
})

const messageOf = ({ body }: Outcome): string => String((body as JsonObject)['message'])

describe('webhooks that convert objects', () => {
  const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  const merge = 'application/merge-patch+json'
  const text = { type: 'string' }
  const versionOf = (name: string, storage: string, spec: object): object => ({
    name,
    served: true,
    storage: name === storage,
    subresources: { status: {} },
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: { type: 'object', properties: spec },
          status: { type: 'object', properties: { phase: text } },
        },
      },
    },
  })
  const versions = (storage: string): readonly object[] => [
    versionOf('v1', storage, { hostPort: text }),
    versionOf('v2', storage, { host: text, port: text }),
  ]
  const at = (version: string, plural: string, rest = ''): string =>
    `/apis/golden.example.com/${version}/namespaces/default/${plural}${rest}`
  const conversion = (path: string): object => ({
    strategy: 'Webhook',
    webhook: {
      conversionReviewVersions: ['v1'],
      clientConfig: { url: `${hooks.url}${path}`, caBundle: hooks.caBundle },
    },
  })

  /** Defines a kind whose objects a path converts, and waits for both of its versions. */
  async function define(plural: string, path = '/convert'): Promise<void> {
    const names = { plural, kind: plural.slice(0, -1) }
    const spec = { group: 'golden.example.com', scope: 'Namespaced', names }
    const metadata = { name: `${plural}.golden.example.com` }
    const made = await send('POST', CRDS, {
      body: {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata,
        spec: { ...spec, versions: versions('v1'), conversion: conversion(path) },
      },
    })
    expect(made.code, JSON.stringify(made.body)).toBe(201)
    await expect
      .poll(async () => (await send('GET', at('v2', plural))).code, { timeout: 30_000 })
      .toBe(200)
  }

  const make = async (plural: string, version: string, name: string): Promise<Outcome> =>
    await send('POST', at(version, plural), {
      body: {
        apiVersion: `golden.example.com/${version}`,
        kind: plural.slice(0, -1),
        metadata: { name, labels: { made: version } },
        spec: version === 'v1' ? { hostPort: `${name}:1` } : { host: name, port: '1' },
      },
    })

  /** The events of a watch as far as they have come, until it ends or `isEnough`. */
  async function watched(
    path: string,
    isEnough: (events: readonly JsonObject[]) => boolean,
    during: () => Promise<void> = async () => undefined,
  ): Promise<readonly JsonObject[]> {
    const events: JsonObject[] = []
    await new Promise<void>((resolve, reject) => {
      const { hostname, port } = new URL(target.server.url)
      const headers = { authorization: `Bearer ${target.token}` }
      const outgoing = get({ hostname, port, path, headers, ca: target.caPem }, (response) => {
        let rest = ''
        response.on('data', (piece: Buffer) => {
          rest += piece.toString()
          const lines = rest.split('\n')
          rest = lines.pop() ?? ''
          for (const line of lines) events.push(JSON.parse(line) as JsonObject)
          if (isEnough(events)) outgoing.destroy()
        })
        response.on('close', resolve)
        during().catch(reject)
      })
      outgoing.on('error', reject)
    })
    return events
  }

  const told = (events: readonly JsonObject[]): readonly string[] =>
    events.map(({ type, object }) => {
      const { apiVersion, metadata, spec } = object as unknown as {
        readonly apiVersion: string
        readonly metadata: { readonly name: string }
        readonly spec?: { readonly host?: string; readonly port?: string }
      }
      return `${String(type)} ${apiVersion} ${metadata.name} ${spec?.host}:${spec?.port}`
    })

  test('objects are read, listed and written in each version, and kept in one', async () => {
    await define('hosts')
    expect((await make('hosts', 'v2', 'a')).body).toMatchObject({ spec: { host: 'a', port: '1' } })
    expect((await make('hosts', 'v1', 'b')).code).toBe(201)
    const kept = await send('GET', at('v1', 'hosts', '/a'))
    expect(kept.body).toMatchObject({ spec: { hostPort: 'a:1' } })
    const body = { spec: { port: '2' }, status: { phase: 'Up' } }
    const patched = await send('PATCH', at('v2', 'hosts', '/b'), { body, type: merge })
    expect(patched).toMatchObject({ code: 200, body: { spec: { host: 'b', port: '2' } } })
    const status = await send('PATCH', at('v2', 'hosts', '/b/status'), { body, type: merge })
    expect(status.body).toMatchObject({ spec: { port: '2' }, status: { phase: 'Up' } })
    const before = hooks.asked.length
    const list = await send('GET', at('v2', 'hosts', '?limit=500'))
    expect(list.body).toMatchObject({
      items: [{ spec: { host: 'a' } }, { spec: { port: '2' }, status: { phase: 'Up' } }],
    })
    expect(hooks.asked.length - before).toBeLessThanOrEqual(1)
    expect((await send('GET', at('v1', 'hosts', '/b'))).body).toMatchObject({
      spec: { hostPort: 'b:2' },
    })
    const chosen = await send('GET', at('v2', 'hosts', '?labelSelector=made%3Dv1'))
    expect(chosen.body).toMatchObject({ items: [{ metadata: { name: 'b' } }] })
  })

  test('many writers of one object in two versions lose nothing', async () => {
    await define('counts')
    await make('counts', 'v1', 'a')
    const patch = async (version: string, key: string): Promise<number> => {
      const body = { metadata: { labels: { [key]: 'x' } } }
      return (await send('PATCH', at(version, 'counts', '/a'), { body, type: merge })).code
    }
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`)
    const codes = await Promise.all(keys.map((key, index) => patch(`v${(index % 2) + 1}`, key)))
    expect(new Set(codes)).toEqual(new Set([200]))
    const { body } = await send('GET', at('v2', 'counts', '/a'))
    const { labels } = (body as { readonly metadata: { readonly labels: object } }).metadata
    expect(Object.keys(labels).sort()).toEqual([...keys, 'made'].sort())
  })

  test('a watch tells what there was and what changes, in its version and in order', async () => {
    await define('seens')
    for (const name of ['a', 'b']) await make('seens', 'v1', name)
    const names = Array.from({ length: 30 }, (_, index) => `n${index}`)
    const query = '?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan'
    const events = await watched(
      at('v2', 'seens', `${query}&allowWatchBookmarks=true`),
      (found) => found.length >= 33,
      async () => {
        for (const name of names) await make('seens', 'v1', name)
      },
    )
    const others = events.filter(({ type }) => type !== 'BOOKMARK')
    expect(told(others)).toEqual(
      ['a', 'b', ...names].map((name) => `ADDED golden.example.com/v2 ${name} ${name}:1`),
    )
    expect(events.findIndex(({ type }) => type === 'BOOKMARK')).toBeGreaterThanOrEqual(2)
  })

  test('what cannot be converted ends its watch with why, and no other', async () => {
    await define('brokens', '/convert/refuse')
    expect((await make('brokens', 'v1', 'a')).code).toBe(201)
    const why = /^conversion webhook for golden\.example\.com\/v1, Kind=broken failed: not today$/
    const read = await send('GET', at('v2', 'brokens', '/a'))
    expect([read.code, messageOf(read)]).toEqual([500, expect.stringMatching(why)])
    const events = await watched(at('v2', 'brokens', '?watch=1'), () => false)
    expect(events).toMatchObject([
      { type: 'ERROR', object: { code: 500, reason: 'InternalError' } },
    ])
    const kept = await watched(at('v1', 'brokens', '?watch=1'), (found) => found.length > 0)
    expect(kept).toMatchObject([{ type: 'ADDED', object: { spec: { hostPort: 'a:1' } } }])
    expect((await make('brokens', 'v2', 'b')).code).toBe(500)
    expect((await send('GET', at('v1', 'brokens', '/b'))).code).toBe(404)
  })

  test('objects of a former storage version are converted when they are looked at', async () => {
    await define('moveds')
    await make('moveds', 'v1', 'a')
    const name = 'moveds.golden.example.com'
    const body = { spec: { versions: versions('v2') } }
    expect((await send('PATCH', `${CRDS}/${name}`, { body, type: merge })).code).toBe(200)
    await make('moveds', 'v2', 'b')
    for (const version of ['v1', 'v2'])
      expect((await send('GET', at(version, 'moveds'))).body).toMatchObject({
        items: ['a', 'b'].map((host) => ({
          apiVersion: `golden.example.com/${version}`,
          spec: version === 'v1' ? { hostPort: `${host}:1` } : { host, port: '1' },
        })),
      })
    const patch = { spec: { port: '7' } }
    const patched = await send('PATCH', at('v2', 'moveds', '/a'), { body: patch, type: merge })
    expect(patched.body).toMatchObject({ spec: { host: 'a', port: '7' } })
    const before = hooks.asked.length
    expect((await send('GET', at('v2', 'moveds', '/a'))).body).toMatchObject({
      spec: { host: 'a', port: '7' },
    })
    expect(hooks.asked.length).toBe(before)
  })

  test('webhooks that look at writes see the version that they know', async () => {
    await define('seconds')
    const rule = {
      apiGroups: ['golden.example.com'],
      apiVersions: ['v1'],
      resources: ['seconds'],
      operations: ['CREATE'],
    }
    const clientConfig = { url: `${hooks.url}/label`, caBundle: hooks.caBundle }
    const answers = { admissionReviewVersions: ['v1'], sideEffects: 'None' }
    const body = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'test' },
      webhooks: [{ name: 'hook.example.com', clientConfig, rules: [rule], ...answers }],
    }
    const root = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'
    expect((await send('POST', root, { body })).code).toBe(201)
    const made = await make('seconds', 'v2', 'a')
    expect(made.body).toMatchObject({
      spec: { host: 'a', port: '1' },
      metadata: { labels: { by: 'webhook' } },
    })
    expect(hooks.asked.filter(({ path }) => path === '/label').at(-1)?.question).toMatchObject({
      object: { apiVersion: 'golden.example.com/v1', spec: { hostPort: 'a:1' } },
    })
    expect((await send('DELETE', `${root}/test`)).code).toBe(200)
  })
})
