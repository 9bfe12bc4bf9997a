// The server of Hocuspocus as a process of its own; with a directory, with its database extension.

import { Database } from '@hocuspocus/extension-database'
import { Server } from '@hocuspocus/server'
import { ClassicLevel } from 'classic-level'

import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'

let server: Server
const stored = new Set<string>()
let onStored: () => void = () => undefined

serveCommands({
  start: async ({ directory }: { readonly directory?: string }) => {
    server = new Server({
      port: 0,
      address: '127.0.0.1',
      quiet: true,
      stopOnSignals: false,
      // Every change is stored at once: with the default of two seconds nothing durable could be fast.
      ...(directory === undefined ? {} : { debounce: 0, extensions: [await database(directory)] }),
    })
    await server.listen()
    return { address: `ws://127.0.0.1:${server.address.port}` }
  },
  /** Answers when so many documents have been stored, each once at least. */
  stored: async ({ documents }: { readonly documents: number }) => {
    while (stored.size < documents) {
      await new Promise<void>((resolve) => {
        onStored = resolve
      })
    }
    return { atMs: nowMs() }
  },
  share: async () => {
    await server.hocuspocus.openDirectConnection('shared')
  },
  publish: async ({ count }: { readonly count: number }) => {
    const connection = await server.hocuspocus.openDirectConnection('shared')
    const beginMs = nowMs()
    await connection.transact((document) => document.getMap('root').set('count', count))
    return { beginMs }
  },
  peers: () => server.hocuspocus.getConnectionsCount(),
  cpu: () => cpuNowMs(),
})

/** The generic extension over LevelDB, each store synced to disk. */
async function database(directory: string): Promise<Database> {
  const level = new ClassicLevel<string, Uint8Array>(directory, { valueEncoding: 'view' })
  await level.open()
  return new Database({
    fetch: async ({ documentName }) => (await level.get(documentName)) ?? null,
    store: async ({ documentName, state }) => {
      await level.put(documentName, state, { sync: true })
      stored.add(documentName)
      onStored()
    },
  })
}
