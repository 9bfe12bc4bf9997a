// Many repositories of automerge-repo that share one document, each over a socket of its own.

import { type AutomergeUrl, type PeerId, Repo } from '@automerge/automerge-repo'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'

import { serveCommands } from '../harness/serve-commands.ts'
import { nowMs } from '../harness/usage.ts'
import { Editions, setUp } from './subscribers.ts'

let editions: Editions

serveCommands({
  prepare: async (options: {
    readonly address: string
    readonly first: number
    readonly subscribers: number
    readonly url: string
  }) => {
    editions = new Editions(options.subscribers)
    await setUp(options.subscribers, async (index) => {
      const repo = new Repo({
        network: [new WebSocketClientAdapter(options.address)],
        peerId: `edge-${options.first + index}` as PeerId,
      })
      await repo.networkSubsystem.whenReady()
      const handle = await repo.find<{ count: number }>(options.url as AutomergeUrl)
      handle.on('heads-changed', ({ doc }) => editions.has(doc.count, nowMs()))
    })
  },
  edition: ({ edition }: { readonly edition: number }) => editions.wait(edition),
})
