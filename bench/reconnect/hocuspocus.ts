import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import { Server } from '@hocuspocus/server'
import { type Data, WebSocket } from 'ws'
import * as Y from 'yjs'

import { Counter, measure, type Reconnect } from '../counting.ts'
import { samplePod } from '../pod.ts'
import { attachAll } from '../sync/clouds/hocuspocus-edge.ts'
import { fillYDoc } from '../sync/load/y-value.ts'
import { changedDocuments, edited, type Scenario } from './scenario.ts'

/** Hocuspocus over WebSocket on loopback, both sides in this process, all documents over one socket. */
export async function reconnectHocuspocus(scenario: Scenario): Promise<Reconnect> {
  const counter = new Counter()
  const options = { port: 0, address: '127.0.0.1', quiet: true, stopOnSignals: false }
  // What nobody looks at stays loaded, as at the other systems.
  const server = new Server({ ...options, unloadImmediately: false, debounce: 600_000 })
  await server.listen()
  const url = `ws://127.0.0.1:${server.address.port}`
  const docs = Array.from({ length: scenario.documents }, () => new Y.Doc())
  const first = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket })
  try {
    const atCloud = await Promise.all(
      docs.map(async (doc, index) => {
        fillYDoc(doc, samplePod(index))
        return await server.hocuspocus.openDirectConnection(nameOf(index))
      }),
    )
    const before = providers(docs, first)
    await attachAll(before)
    for (const provider of before) provider.destroy()
    first.destroy()
    const changed = changedDocuments(scenario)
    for (const index of changed.cloud) {
      await atCloud[index]?.transact((doc) => edit(doc, index))
    }
    for (const index of changed.edge) edit(docs[index], index)
    const equal = (): boolean =>
      docs.every((doc, index) => same(doc, atCloud[index]?.document ?? undefined))
    return await measure(counter, async () => {
      const socket = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: counted(counter) })
      for (const provider of providers(docs, socket)) provider.attach()
      return await counter.settled(equal, 1000)
    })
  } finally {
    server.webSocketServer.clients.forEach((client) => {
      client.terminate()
    })
    server.httpServer.close()
  }
}

function providers(
  docs: readonly Y.Doc[],
  websocketProvider: HocuspocusProviderWebsocket,
): HocuspocusProvider[] {
  return docs.map(
    (document, index) =>
      new HocuspocusProvider({ name: nameOf(index), document, websocketProvider }),
  )
}

function edit(doc: Y.Doc | undefined, index: number): void {
  const metadata = doc?.getMap('root').get('metadata') as Y.Map<Y.Map<string>> | undefined
  metadata?.get('annotations')?.set('example.com/image', edited(index))
}

function same(a: Y.Doc, b: Y.Doc | undefined): boolean {
  return b !== undefined && Buffer.compare(Y.encodeStateVector(a), Y.encodeStateVector(b)) === 0
}

function nameOf(index: number): string {
  return `web-${String(index).padStart(4, '0')}`
}

/** A socket class that counts the bytes of its messages. */
function counted(counter: Counter): typeof WebSocket {
  return new Proxy(WebSocket, {
    construct(Class, args) {
      const socket = new Class(...(args as [string]))
      socket.on('message', (message: Buffer | ArrayBuffer) => counter.down(message.byteLength))
      const send = socket.send.bind(socket) as (data: Data) => void
      socket.send = (data: Data) => {
        counter.up((data as Uint8Array).byteLength)
        send(data)
      }
      return socket
    },
  })
}
