#!/usr/bin/env node
import { join } from 'node:path'
import { levelStorage } from 'tideway/adapters/storage/level'
import {
  addRunOptions,
  addSettings,
  EXIT_TEXT,
  ExitWith,
  type Flags,
  newProgram,
  runCommandLine,
  sourcesText,
} from '../shared/command-line.ts'
import { keepMemoryLow } from '../shared/lean-memory.ts'
import { runProgram } from '../shared/lifetime.ts'
import { createLogger, logSettings } from '../shared/logging.ts'
import { makePrivateDirectory } from '../shared/private-files.ts'
import { asProgramError, isDiskFull } from '../shared/program-error.ts'
import { resolveSettings } from '../shared/resolve-settings.ts'
import type { Values } from '../shared/settings.ts'
import {
  directorySettings,
  EDGE_ENV,
  type EdgeSettings,
  edgeSettings,
  joinSettings,
} from './edge-settings.ts'
import { runtimeSettings } from './open-runtime.ts'
import type { RunningEdge } from './run-edge.ts'

const HELP = `
Try first:
  edgecore --token TOKEN                            join and run; "cloudcore token create --node NAME"
                                                    on the cloud's machine prints TOKEN
  edgecore status                                   connection, last sync, pods
  export KUBECONFIG=~/.local/state/tideway/edgecore/kubeconfig
  kubectl get pods -w                               reads and writes, also while it is cut off

Other ways to start it:
  edgecore join --token TOKEN                       join only; "edgecore" runs later, also offline
  edgecore --data /tmp/edge-2 --api-address 127.0.0.1:0 --token TOKEN
                                                    a second node on this machine, on a free port
  edgecore --server cloud.example:10000             the cloud has moved

Pods are plain processes by default: a container needs a command, and its image is only a name. With
--runtime cri, docker or podman they are containers. They go on running when edgecore stops or is killed,
and the next edgecore takes them over. To stop them too: "edgecore --stop-pods-on-exit", or
"edgecore stop-pods" when it does not run.

While the cloud cannot be reached, edgecore dials it again after growing waits of up to 30 s; SIGUSR2
makes it dial at once.

${sourcesText(edgeSettings, EDGE_ENV)}

${EXIT_TEXT}
`

const program = newProgram(
  'edgecore',
  `One node of a Tideway fleet: runs the pods that the cloud assigns to it, serves them by a Kubernetes
API of its own, and goes on with both while the cloud cannot be reached.`,
).addHelpText('after', HELP)
addSettings(program.command('run', { isDefault: true }), edgeSettings, EDGE_ENV)
  .description('run the node until SIGTERM or SIGINT; what edgecore does without a command')
  .action(run)
addSettings(program.command('join'), { ...joinSettings, ...logSettings }, EDGE_ENV)
  .description('let this node into a fleet, without running it yet')
  .action(joinOnly)
addSettings(program.command('status'), directorySettings, EDGE_ENV)
  .description('show how the running edgecore is')
  .action(async (flags: Flags) => {
    const { data } = await settingsOf(flags)
    const { describeEdge } = await import('./status-command.ts')
    process.stdout.write(await describeEdge(data))
  })
addSettings(program.command('stop-pods'), { ...directorySettings, ...runtimeSettings }, EDGE_ENV)
  .description('stop every pod of this node; edgecore must not run')
  .action(stopAll)
addRunOptions(program)
process.exitCode = await runCommandLine(program, process.argv.slice(2))

function settingsOf(flags: Flags): Promise<Values<typeof edgeSettings>> {
  const file = typeof flags['config'] === 'string' ? flags['config'] : undefined
  return resolveSettings(edgeSettings, { flags, env: process.env, envPrefix: EDGE_ENV, file })
}

async function run(flags: Flags): Promise<void> {
  keepMemoryLow()
  const settings = await settingsOf(flags)
  // Here, as help is also for those who have not installed yet what this needs.
  const { startEdge } = await import('./run-edge.ts')
  const logger = createLogger('edgecore', settings.logLevel, settings.logFormat)
  const exitCode = await runProgram({
    logger,
    directory: settings.data,
    start: async (teardown, stop) => {
      const running = await startEdge(settings, logger, teardown, stop)
      if (settings.logFormat === 'text') process.stdout.write(greeting(settings, running))
      logger.info('ready', { ...running, kubeconfig: join(settings.data, 'kubeconfig') })
    },
  })
  if (exitCode !== 0) throw new ExitWith(exitCode)
}

async function joinOnly(flags: Flags): Promise<void> {
  const settings = await settingsOf(flags)
  const { enrol } = await import('./enrol.ts')
  const logger = createLogger('edgecore', settings.logLevel, settings.logFormat)
  const identity = await locked(settings, () =>
    enrol({ ...settings, directory: settings.data }, logger),
  )
  process.stdout.write(
    `${identity.node} is a node of the fleet ${identity.fleet} now; run it: edgecore --data ${settings.data}\n`,
  )
}

async function stopAll(flags: Flags): Promise<void> {
  const { stopAllPods } = await import('./used-runtimes.ts')
  const settings = await settingsOf(flags)
  const logger = createLogger('edgecore', 'warn', settings.logFormat)
  // On a full disk this may be what makes room.
  const count = await locked(settings, () => stopAllPods(settings, logger), 'also when full')
  process.stdout.write(`stopped ${count} pods\n`)
}

/** Does something while no other process has the data directory. */
async function locked<Result>(
  { data }: EdgeSettings,
  work: () => Promise<Result>,
  when?: 'also when full',
): Promise<Result> {
  try {
    await makePrivateDirectory(data)
    const opened = levelStorage({ directory: join(data, 'log') })
    const storage = await opened.catch((error: unknown) => {
      // Its lock was taken before it needed room: nobody else has it.
      if (when === undefined || !isDiskFull(error)) throw error
      return undefined
    })
    try {
      return await work()
    } finally {
      await storage?.close()
    }
  } catch (error) {
    throw asProgramError(error, data) ?? error
  }
}

function greeting({ data }: EdgeSettings, { node, fleet, api }: RunningEdge): string {
  const kubeconfig = join(data, 'kubeconfig')
  return `
edgecore runs the node ${node} of the fleet ${fleet}
  Kubernetes API   ${api}
  kubeconfig       ${kubeconfig}

then try           kubectl --kubeconfig ${kubeconfig} get pods -w
                   edgecore status --data ${data}

`
}
