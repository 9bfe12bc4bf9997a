import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Fleet, NODES, startFleet } from './fleet.ts'
import { Interruption } from './interruption.ts'
import { findCommands } from './kube-commands.ts'
import { Narrator } from './narrator.ts'
import { packageRoot } from './program.ts'
import { applyManifests, cleanUp, comeTogether, crashEdge, type Stage, workApart } from './story.ts'

const USAGE = `npm run demo [-- --keep]

Starts a cloudcore and two edgecores as processes of their own in a temporary directory, and shows a
cut link, edits on both sides, a crash and the merge. It needs no root and no cluster.

  --keep   leave the fleet running at the end and print how to use it
`

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.some((arg) => arg !== '--keep')) {
    process.stdout.write(USAGE)
    return args.includes('--help') ? 0 : 2
  }
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    process.stdout.write(`The demo runs pods as processes, which needs Linux or macOS. Here (${process.platform}), run it in
a Linux container or virtual machine, such as WSL: npm ci && npm run demo
`)
    return 1
  }
  const narrator = new Narrator()
  const root = packageRoot(import.meta.url)
  narrator.step('Start a cloud and two edges')
  const interruption = new Interruption()
  const fleet = await startFleet(root)
  interruption.onSignal = () => {
    narrator.stop()
    void fleet.close()
  }
  let isKept = false
  try {
    if (!interruption.happened) isKept = await tell(fleet, narrator, root, args.includes('--keep'))
  } catch (error) {
    if (!interruption.happened) throw error
  } finally {
    if (!isKept) await fleet.close()
    interruption.close()
  }
  if (interruption.happened) return 130
  process.stdout.write(
    `\n${narrator.held} checks held, ${narrator.failed} failed, in ${narrator.seconds} s\n`,
  )
  return narrator.failed === 0 ? 0 : 1
}

async function tell(
  fleet: Fleet,
  narrator: Narrator,
  root: string,
  keep: boolean,
): Promise<boolean> {
  const kube = await findCommands(join(fleet.directory, 'kube-cache'))
  const stage: Stage = {
    fleet,
    kube,
    narrator,
    manifests: join(root, 'examples', 'demo', 'manifests'),
  }
  narrator.say(`everything is in ${fleet.directory}; requests are sent ${kube.about}`)
  for (const name of ['cloudcore', ...NODES]) {
    const { api, sync } = await fleet.program(name).line('ready')
    const dialled = Array.isArray(sync) ? `, edges dial ${sync.join(', ')}` : ''
    narrator.say(
      `${name.padEnd(10)} process ${fleet.program(name).pid}, Kubernetes API ${String(api)}${dialled}`,
    )
  }
  narrator.say(`link       of edge-1: a relay at ${fleet.relay.address}`)
  await applyManifests(stage)
  await workApart(stage)
  await crashEdge(stage)
  await comeTogether(stage)
  if (keep && narrator.failed === 0) {
    await keepRunning(fleet, narrator)
    return true
  }
  await cleanUp(stage, existsSync)
  return false
}

async function keepRunning(fleet: Fleet, narrator: Narrator): Promise<void> {
  narrator.step('The fleet goes on running')
  await fleet.release()
  narrator.say('edge-1 dials the cloud directly now; try:')
  narrator.command(`kubectl --kubeconfig ${fleet.cloud.kubeconfig} get pods,nodes -o wide`)
  for (const node of NODES) {
    narrator.command(`kubectl --kubeconfig ${fleet.edge(node).kubeconfig} get pods -w`)
  }
  narrator.command(`kubectl --kubeconfig ${fleet.cloud.kubeconfig} logs -f sensor`)
  const pids = ['cloudcore', ...NODES].map((name) => fleet.program(name).pid)
  narrator.say('to stop everything, pods included:')
  narrator.command(`kill ${pids.join(' ')}; sleep 5; rm -r ${fleet.directory}`)
}
