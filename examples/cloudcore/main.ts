#!/usr/bin/env node
import { join } from 'node:path'
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
import { createLogger } from '../shared/logging.ts'
import { resolveSettings } from '../shared/resolve-settings.ts'
import type { CloudEndpoints } from './cloud-endpoints.ts'
import { CLOUD_ENV, type CloudSettings, cloudSettings } from './cloud-settings.ts'
import { addTokenCommands } from './token-commands.ts'

const HELP = `
Try first:
  cloudcore                                         start; it prints where everything is
  export KUBECONFIG=~/.local/state/tideway/cloudcore/kubeconfig
  kubectl get nodes                                 none yet
  cloudcore token create --node edge-1              print a token for a node
  edgecore --token TOKEN                            on that node: join, and run its pods
  kubectl create configmap greeting --from-literal=text=hello

Other ways to start it:
  cloudcore --api-address 127.0.0.1:0 --sync-address 127.0.0.1:0 --data /tmp/cloud
                                                    on free ports, beside another one
  cloudcore --sync-address 0.0.0.0:10000 --advertise cloud.example:10000
                                                    for edges on other machines
  TIDEWAY_CLOUDCORE_LOG_LEVEL=debug cloudcore --config cloudcore.yaml

To throw a node out: kubectl -n kube-system delete secret node-certificate-NAME

${sourcesText(cloudSettings, CLOUD_ENV)}

${EXIT_TEXT}
`

const program = newProgram(
  'cloudcore',
  `The cloud side of a Tideway fleet: a Kubernetes API without a cluster, and the port that edges sync
with. Everything is kept in one directory; no database and no root are needed.`,
).addHelpText('after', HELP)
addSettings(program.command('run', { isDefault: true }), cloudSettings, CLOUD_ENV)
  .description('run the cloud side until SIGTERM or SIGINT; what cloudcore does without a command')
  .action(run)
addTokenCommands(program)
addRunOptions(program)
process.exitCode = await runCommandLine(program, process.argv.slice(2))

async function run(flags: Flags): Promise<void> {
  keepMemoryLow()
  const file = typeof flags['config'] === 'string' ? flags['config'] : undefined
  const settings = await resolveSettings(cloudSettings, {
    flags,
    env: process.env,
    envPrefix: CLOUD_ENV,
    file,
  })
  // Here, as help is also for those who have not installed yet what this needs.
  const { startCloud } = await import('./run-cloud.ts')
  const logger = createLogger('cloudcore', settings.logLevel, settings.logFormat)
  const exitCode = await runProgram({
    logger,
    directory: settings.data,
    start: async (teardown) => {
      const endpoints = await startCloud(settings, logger, teardown)
      const { api, sync, fleet, metrics } = endpoints
      if (settings.logFormat === 'text') process.stdout.write(greeting(settings, endpoints))
      const kubeconfig = join(settings.data, 'kubeconfig')
      logger.info('ready', { api, sync, fleet, metrics, kubeconfig })
    },
  })
  if (exitCode !== 0) throw new ExitWith(exitCode)
}

function greeting(
  { data, syncAddress }: CloudSettings,
  { fleet, api, sync }: CloudEndpoints,
): string {
  const isLocal = syncAddress.host === '127.0.0.1' || syncAddress.host === '::1'
  return `
cloudcore runs the fleet ${fleet}
  Kubernetes API   ${api}
  edges dial       ${sync.join(', ')}${isLocal ? '   (this machine only; see --sync-address)' : ''}
  kubeconfig       ${join(data, 'kubeconfig')}

let a node in      edgecore --token "$(cloudcore token create --node edge-1 --data ${data})"
then try           kubectl --kubeconfig ${join(data, 'kubeconfig')} get nodes -w

`
}
