import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { systemClock } from 'tideway'
import { afterEach, describe, expect, test } from 'vitest'
import { builtinResources } from '../../../../../src/adapters/kubernetes/objects/resources.ts'
import {
  type KubeObject,
  ObjectError,
  type ObjectEvent,
  type ObjectStore,
} from '../../../../../src/adapters/kubernetes/objects/types.ts'
import {
  PENDING_EVENTS_MAX,
  type RunningWatch,
  startWatch,
} from '../../../../../src/adapters/kubernetes/server/watch.ts'

const resource = builtinResources.find((item) => item.id === 'configmaps')
if (resource === undefined) throw new Error('no config maps')

/** The watching half of a store, driven by hand. */
class Feed {
  resourceVersion = 5
  readonly listeners = new Set<(event: ObjectEvent) => void>()

  get store(): ObjectStore {
    const feed = this
    return {
      get resourceVersion() {
        return feed.resourceVersion
      },
      list: () => ({ items: [], resourceVersion: feed.resourceVersion }),
      watch: (
        _resource: string,
        options: { since?: number },
        listener: (event: ObjectEvent) => void,
      ) => {
        if (options.since === 1) throw new ObjectError('Expired', 'too old resource version: 1 (5)')
        feed.listeners.add(listener)
        return () => feed.listeners.delete(listener)
      },
    } as unknown as ObjectStore
  }

  change(object: KubeObject): void {
    this.resourceVersion += 1
    for (const listener of this.listeners)
      listener({
        type: 'MODIFIED',
        object,
        previous: object,
        resourceVersion: this.resourceVersion,
      })
  }
}

const big: KubeObject = Object.freeze({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'big', namespace: 'n', resourceVersion: '6' },
  data: { a: 'x'.repeat(20_000) },
})

let server: Server | undefined
afterEach(
  () =>
    new Promise<void>((resolve) => {
      server?.closeAllConnections()
      server?.close(() => resolve())
    }),
)

async function watched(
  feed: Feed,
  query: string,
): Promise<{ response: IncomingMessage; running: RunningWatch }> {
  let running: RunningWatch | undefined
  server = createServer((_request, response) => {
    running = startWatch(
      {
        store: feed.store,
        resource: resource as NonNullable<typeof resource>,
        served: { group: '', version: 'v1', conversion: undefined },
        namespace: undefined,
        query: new URLSearchParams(query),
        answer: { format: 'json', as: 'object', metaVersion: 'v1' },
        clock: systemClock,
        random: () => 0,
        stallMs: 60_000,
        watchBytesMax: 1_000_000_000,
      },
      response,
    )
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ port, host: '127.0.0.1', agent: false }, resolve).on('error', reject)
  })
  if (running === undefined) throw new Error('the watch did not start')
  return { response, running }
}

async function linesOf(response: IncomingMessage): Promise<{ type: string; object: KubeObject }[]> {
  let text = ''
  for await (const piece of response) text += String(piece)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

describe('a watch', () => {
  test('of a reader that does not read ends, and holds nothing', async () => {
    const feed = new Feed()
    const { response, running } = await watched(feed, 'resourceVersion=5')
    response.pause()
    const failed = new Promise<void>((resolve) => {
      response.on('error', () => resolve())
      response.on('close', resolve)
    })
    // What the sockets hold comes first; it has to be bounded all the same.
    let sent = 0
    for (; feed.listeners.size > 0 && sent < PENDING_EVENTS_MAX * 20; sent++) {
      feed.change(big)
      if (sent % 512 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await running.done
    expect(feed.listeners.size).toBe(0)
    expect(sent).toBeGreaterThan(PENDING_EVENTS_MAX)
    response.resume()
    await failed
  })

  test('of a reader that was behind goes on in order, with nothing left out', async () => {
    const feed = new Feed()
    const { response } = await watched(
      feed,
      'resourceVersion=5&allowWatchBookmarks=true&timeoutSeconds=1',
    )
    response.pause()
    const { metadata } = big
    const count = 600
    for (let index = 0; index < count; index++) {
      feed.change({ ...big, metadata: { ...metadata, resourceVersion: String(index) } })
      if (index % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const lines = await linesOf(response)
    const versions = lines.slice(0, count).map((line) => line.object.metadata.resourceVersion)
    expect(versions).toEqual(Array.from({ length: count }, (_, index) => String(index)))
    expect(lines.slice(count).map((line) => line.type)).toEqual(['BOOKMARK'])
  })

  test('of a client that knows no chunks is answered without', async () => {
    const feed = new Feed()
    const { response, running } = await watched(feed, 'resourceVersion=5')
    response.destroy()
    await running.done
    const port = (server?.address() as AddressInfo | undefined)?.port ?? 0
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.0\r\n\r\n'))
    let text = ''
    for await (const piece of socket) {
      text += String(piece)
      if (feed.listeners.size > 0 && !text.includes('MODIFIED')) feed.change(big)
      if (text.endsWith('}\n')) break
    }
    const [head = '', body = ''] = text.split('\r\n\r\n')
    expect(head).not.toContain('chunked')
    expect(JSON.parse(body)).toMatchObject({ type: 'MODIFIED' })
  })

  test('of a reader that is gone is forgotten', async () => {
    const feed = new Feed()
    const { response, running } = await watched(feed, 'resourceVersion=5')
    expect(feed.listeners.size).toBe(1)
    response.destroy()
    await running.done
    expect(feed.listeners.size).toBe(0)
  })

  test('ends in time with a bookmark of how far it was', async () => {
    const feed = new Feed()
    const { response } = await watched(
      feed,
      'resourceVersion=5&allowWatchBookmarks=true&timeoutSeconds=1',
    )
    feed.change(big)
    const lines = await linesOf(response)
    expect(lines.map((line) => line.type)).toEqual(['MODIFIED', 'BOOKMARK'])
    expect(lines[1]?.object).toMatchObject({
      kind: 'ConfigMap',
      metadata: { resourceVersion: '6' },
    })
  })

  test('from before history is told that it is expired', async () => {
    const { response } = await watched(new Feed(), 'resourceVersion=1')
    expect(await linesOf(response)).toMatchObject([
      {
        type: 'ERROR',
        object: { code: 410, reason: 'Expired', message: 'too old resource version: 1 (5)' },
      },
    ])
  })
})
