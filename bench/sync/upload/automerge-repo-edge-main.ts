// An edge of automerge-repo that has documents and uploads them to a server that has none.

import { type DocHandle, type PeerId, Repo } from '@automerge/automerge-repo'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'

import { samplePod } from '../../pod.ts'
import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'
import { WireBytes } from '../harness/wire-bytes.ts'
import { immutable } from '../load/immutable.ts'

let repo: Repo
let wire: WireBytes
let beginCpuMs = 0
const handles: DocHandle<unknown>[] = []

serveCommands({
  prepare: async (options: { readonly documents: number; readonly directory?: string }) => {
    const { directory } = options
    repo = new Repo({
      network: [],
      peerId: 'edge-1' as PeerId,
      ...(directory === undefined ? {} : { storage: new NodeFSStorageAdapter(directory) }),
    })
    for (let index = 0; index < options.documents; index += 1) {
      handles.push(repo.create(immutable(samplePod(index))))
    }
    if (directory !== undefined) await repo.flush()
  },
  upload: ({ address }: { readonly address: string }) => {
    wire = new WireBytes()
    const beginMs = nowMs()
    beginCpuMs = cpuNowMs()
    repo.networkSubsystem.addNetworkAdapter(new WebSocketClientAdapter(address))
    return { beginMs }
  },
  wire: () => ({ cpuMs: cpuNowMs() - beginCpuMs, bytesUp: wire.up, bytesDown: wire.down }),
})
