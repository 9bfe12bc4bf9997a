// The cloud of a large fleet: one replica with its log in LevelDB, and a pipe that carries all edges.

import { createReplica, type Replica } from 'tideway'
import { levelStorage } from 'tideway/adapters/storage/level'

import { logReached } from '../clouds/log-reached.ts'
import { edgeName } from '../fan-in/scenario.ts'
import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'
import type { Status } from '../load/events.ts'
import { pipeListener } from '../pipe/pipe-network.ts'
import { CLOUD_POLICY, replicaOptions } from '../replica-options.ts'
import { statusId } from './fleet.ts'

let opened: Replica | undefined

serveCommands({
  start: async ({ directory, path }: { readonly directory: string; readonly path: string }) => {
    opened = await createReplica({
      ...replicaOptions(),
      name: 'cloud',
      storage: await levelStorage({ directory }),
      policy: CLOUD_POLICY,
    })
    opened.serve(await pipeListener(path))
    return { readyAtMs: nowMs(), head: opened.head }
  },
  reached: ({ head }: { readonly head: number }) => logReached(cloud(), head),
  /** Changes one document of each edge, as a fleet's owner who rolls something out. */
  editAll: async ({ edges, count }: { readonly edges: number; readonly count: number }) => {
    for (let index = 0; index < edges; index += 1) {
      await using handle = await cloud().open<Status>(statusId(edgeName(index), 0))
      handle.change((draft) => {
        draft.count = count
      })
      if (index % 256 === 255 || index + 1 === edges) await handle.durable()
    }
    return cloud().head
  },
  digest: ({ collection }: { readonly collection: string }) => cloud().digest([collection]),
  cpu: () => cpuNowMs(),
  stop: () => opened?.close(),
})

function cloud(): Replica {
  if (opened === undefined) throw new Error('the cloud was not started')
  return opened
}
