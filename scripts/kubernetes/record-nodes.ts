// Records what a real kube-apiserver lets a node do:
//   npx tsx scripts/kubernetes/record-nodes.ts

import { writeFileSync } from 'node:fs'
import { withCluster } from '../../test/cluster/cluster.ts'
import {
  type NodeOutcome,
  nodeCases,
  playNodeCase,
  RECORDED_NODES,
} from '../../test/support/node-cases.ts'

const apiServerFlags = ['--authorization-mode=Node', '--enable-admission-plugins=NodeRestriction']
await withCluster({ apiServerFlags }, async (cluster) => {
  const played: NodeOutcome[] = []
  for (const item of nodeCases()) played.push(await playNodeCase(cluster, item))
  writeFileSync(RECORDED_NODES, `${JSON.stringify(played, undefined, 1)}\n`)
})
