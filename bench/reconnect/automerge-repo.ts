import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

import { ImmutableString } from '@automerge/automerge'
import { type DocHandle, type PeerId, Repo } from '@automerge/automerge-repo'
import {
  WebSocketClientAdapter,
  WebSocketServerAdapter,
} from '@automerge/automerge-repo-network-websocket'
import { type WebSocket, WebSocketServer } from 'ws'

import { Counter, measure, type Reconnect } from '../counting.ts'
import { samplePod } from '../pod.ts'
import { changedDocuments, edited, type Scenario } from './scenario.ts'

type Pod = { metadata: { annotations: Record<string, unknown> } }

/** automerge-repo over WebSocket on loopback, both repositories in this process, nothing stored. */
export async function reconnectAutomergeRepo(scenario: Scenario): Promise<Reconnect> {
  const counter = new Counter()
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  let counting = false
  server.on('connection', (socket) => {
    if (counting) count(socket, counter)
  })
  const cloud = new Repo({
    network: [new WebSocketServerAdapter(server as never)],
    peerId: 'cloud' as PeerId,
  })
  const edge = new Repo({ network: [], peerId: 'edge' as PeerId })
  try {
    const first = new WebSocketClientAdapter(url)
    edge.networkSubsystem.addNetworkAdapter(first)
    await edge.networkSubsystem.whenReady()
    // It is ready after a second at the latest, with a peer or without; without one nothing is found.
    while (edge.peers.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    const atCloud: DocHandle<Pod>[] = []
    for (let index = 0; index < scenario.documents; index += 1) {
      atCloud.push(cloud.create<Pod>(immutable(samplePod(index)) as Pod))
    }
    const atEdge = await Promise.all(atCloud.map((handle) => edge.find<Pod>(handle.url)))
    const equal = (): boolean => atCloud.every((handle, index) => sameHeads(handle, atEdge[index]))
    while (!equal()) await new Promise((resolve) => setTimeout(resolve, 50))
    // What both sides know of each other has to be settled before they part.
    await new Promise((resolve) => setTimeout(resolve, 1000))
    edge.networkSubsystem.removeNetworkAdapter(first)
    await new Promise((resolve) => setTimeout(resolve, 500))
    const changed = changedDocuments(scenario)
    for (const index of changed.cloud) edit(atCloud[index], index)
    for (const index of changed.edge) edit(atEdge[index], index)
    counting = true
    return await measure(counter, async () => {
      edge.networkSubsystem.addNetworkAdapter(new WebSocketClientAdapter(url))
      return await counter.settled(equal, 1000)
    })
  } finally {
    await edge.shutdown()
    await cloud.shutdown()
    for (const socket of server.clients) socket.terminate()
    server.close()
  }
}

function edit(handle: DocHandle<Pod> | undefined, index: number): void {
  handle?.change((pod) => {
    pod.metadata.annotations['example.com/image'] = new ImmutableString(edited(index))
  })
}

function sameHeads(a: DocHandle<Pod>, b: DocHandle<Pod> | undefined): boolean {
  return (
    b !== undefined &&
    JSON.stringify([...a.heads()].sort()) === JSON.stringify([...b.heads()].sort())
  )
}

/** Strings as single values, as Tideway keeps them: the fair form for state that nobody types into. */
function immutable(value: unknown): unknown {
  if (typeof value === 'string') return new ImmutableString(value)
  if (Array.isArray(value)) return value.map(immutable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, immutable(item)]))
}

function count(socket: WebSocket, counter: Counter): void {
  socket.on('message', (message: Buffer) => counter.up(message.length))
  const send = socket.send.bind(socket) as (...parts: unknown[]) => void
  socket.send = (...parts: unknown[]) => {
    counter.down((parts[0] as Uint8Array | ArrayBuffer).byteLength)
    send(...parts)
  }
}
