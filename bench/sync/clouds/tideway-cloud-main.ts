// The cloud of Tideway as a process of its own: one replica behind a WebSocket server.

import { createReplica, type Replica } from 'tideway'
import { webSocketServer } from 'tideway/transports/websocket/server'

import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'
import type { Status } from '../load/events.ts'
import { CLOUD_POLICY, replicaOptions, SHARED } from '../replica-options.ts'
import { logReached } from './log-reached.ts'
import { storageIn } from './storages.ts'

let opened: Replica | undefined

serveCommands({
  /** Opens the log in a directory, or in memory, and says where edges can dial. */
  start: async ({ directory }: { readonly directory?: string }) => {
    const storage = await storageIn(directory)
    opened = await createReplica({
      ...replicaOptions(),
      name: 'cloud',
      storage,
      policy: CLOUD_POLICY,
    })
    const listener = await webSocketServer({
      backlogMax: 20_000,
      authenticate: (request) => request.headers['x-edge']?.toString(),
    })
    opened.serve(listener)
    return { address: listener.addresses[0], readyAtMs: nowMs(), head: opened.head }
  },
  /** Answers when the log holds so many entries durably. */
  reached: ({ head }: { readonly head: number }) => logReached(cloud(), head),
  head: () => cloud().head,
  peers: () => cloud().peers().length,
  digest: ({ collection }: { readonly collection: string }) => cloud().digest([collection]),
  /** Changes one field of the document that everybody shares. */
  publish: async ({ count }: { readonly count: number }) => {
    const beginMs = nowMs()
    await using handle = await cloud().open<Status>('shared/status', { collection: SHARED })
    handle.change((draft) => {
      draft.count = count
      draft.message = `edition ${count} of what everybody sees`
    })
    await handle.durable()
    return { beginMs, durableMs: nowMs() }
  },
  cpu: () => cpuNowMs(),
  stop: () => opened?.close(),
})

function cloud(): Replica {
  if (opened === undefined) throw new Error('the cloud was not started')
  return opened
}
