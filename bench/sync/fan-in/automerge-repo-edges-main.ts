// Many repositories of automerge-repo that bring what they wrote while they were away, all at once.

import { applyChanges, free, init, save } from '@automerge/automerge'
import { type PeerId, Repo } from '@automerge/automerge-repo'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'

import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'
import { WireBytes } from '../harness/wire-bytes.ts'
import { actorOf, statusEvents } from '../load/events.ts'
import { edgeName, type FanIn } from './scenario.ts'

const repos: Repo[] = []
let wire: WireBytes
let beginCpuMs = 0

serveCommands({
  prepare: (scenario: FanIn) => {
    for (let index = 0; index < scenario.connections; index += 1) {
      const repo = new Repo({ network: [], peerId: edgeName(index) as PeerId })
      for (let number = 0; number < scenario.documents; number += 1) {
        const actor = actorOf(index * scenario.documents + number)
        const events = statusEvents(actor, scenario.eventsPerDocument)
        const [doc] = applyChanges(init(), [...events])
        repo.import(save(doc))
        free(doc)
      }
      repos.push(repo)
    }
  },
  upload: ({ address }: { readonly address: string }) => {
    wire = new WireBytes()
    const beginMs = nowMs()
    beginCpuMs = cpuNowMs()
    for (const repo of repos) {
      repo.networkSubsystem.addNetworkAdapter(new WebSocketClientAdapter(address))
    }
    return { beginMs }
  },
  wire: () => ({ cpuMs: cpuNowMs() - beginCpuMs, bytesUp: wire.up }),
})
