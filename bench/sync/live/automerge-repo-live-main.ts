// One repository of automerge-repo that edits while it is connected. Nothing acknowledges its edits.

import { type DocHandle, type PeerId, Repo } from '@automerge/automerge-repo'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'

import { serveCommands } from '../harness/serve-commands.ts'
import { nowMs } from '../harness/usage.ts'

let handle: DocHandle<{ count: number }>

serveCommands({
  prepare: async ({ address }: { readonly address: string }) => {
    const repo = new Repo({
      network: [new WebSocketClientAdapter(address)],
      peerId: 'edge-1' as PeerId,
    })
    handle = repo.create({ count: -1 })
    await repo.networkSubsystem.whenReady()
  },
  edit: ({ count }: { readonly count: number }) => {
    const beginMs = nowMs()
    handle.change((doc) => {
      doc.count = count
    })
    return { beginMs }
  },
})
