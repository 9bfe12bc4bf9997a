// The server of automerge-repo as a process of its own, as its documentation sets one up.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type Doc, getHeads } from '@automerge/automerge'
import { type DocHandle, type PeerId, Repo } from '@automerge/automerge-repo'
import { WebSocketServerAdapter } from '@automerge/automerge-repo-network-websocket'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import { WebSocketServer } from 'ws'

import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'

type Counted = { count?: number }

let repo: Repo
let shared: DocHandle<Counted> | undefined
const complete = new Set<string>()
const watched = new Set<string>()
/** The value of `count` that a document must have reached; undefined: it need only have come. */
let countWanted: number | undefined
let onComplete: () => void = () => undefined
/** When a document was first seen with a count. */
const countedAtMs = new Map<number, number>()
let onCount: () => void = () => undefined

serveCommands({
  start: async ({ directory, count }: { readonly directory?: string; readonly count?: number }) => {
    countWanted = count
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    repo = new Repo({
      network: [new WebSocketServerAdapter(server as never)],
      peerId: 'cloud' as PeerId,
      // As its own sync server has it: peers are told of nothing that they did not bring or ask for.
      sharePolicy: () => Promise.resolve(false),
      ...(directory === undefined ? {} : { storage: new NodeFSStorageAdapter(directory) }),
    })
    // The one event that tells of documents which a peer brings.
    repo.on('doc-metrics', ({ type, documentId }) => {
      if (type === 'receive-sync-message') watch(repo.handles[documentId])
    })
    return { address: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` }
  },
  /** Answers when so many documents have come; with `flush`, when they are written to files too. */
  reached: async ({
    documents,
    flush,
  }: {
    readonly documents: number
    readonly flush: boolean
  }) => {
    while (complete.size < documents) {
      await new Promise<void>((resolve) => {
        onComplete = resolve
      })
    }
    if (flush) await repo.flush()
    return { atMs: nowMs(), cpuMs: cpuNowMs() }
  },
  /** Answers with the moment at which a document has this count. */
  counted: ({ count }: { readonly count: number }) =>
    new Promise((resolve) => {
      const look = (): void => {
        const atMs = countedAtMs.get(count)
        if (atMs !== undefined) resolve({ atMs })
      }
      onCount = look
      // It may have come before this question did.
      look()
    }),
  share: () => {
    shared = repo.create<Counted>({ count: 0 })
    return { url: shared.url }
  },
  publish: ({ count }: { readonly count: number }) => {
    const beginMs = nowMs()
    shared?.change((doc) => {
      doc.count = count
    })
    return { beginMs }
  },
  peers: () => repo.peers.length,
  cpu: () => cpuNowMs(),
})

function watch(handle: DocHandle<Counted> | undefined): void {
  if (handle === undefined || watched.has(handle.documentId)) return
  watched.add(handle.documentId)
  const look = (doc: Doc<Counted>): void => {
    if (getHeads(doc).length === 0) return
    const { count } = doc
    if (count !== undefined && !countedAtMs.has(count)) {
      countedAtMs.set(count, nowMs())
      onCount()
    }
    if (countWanted !== undefined && count !== countWanted) return
    complete.add(handle.documentId)
    onComplete()
  }
  // Told with the new state, while the handle itself may still say that it is loading.
  handle.on('heads-changed', ({ doc }) => look(doc))
  if (handle.isReady()) look(handle.doc())
}
