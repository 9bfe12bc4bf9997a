import { consoleLogger, systemClock } from 'tideway'
import { processRuntime } from 'tideway/adapters/runtime/process'

/**
 * Drives a process runtime until it is killed: `edged-driver.ts DIRECTORY CGROUP_ROOT MODE COUNT`.
 *
 * Starts COUNT containers one after the other; each says `run` in its own file once it runs. MODE
 * `hold` says `started` when all are up and waits.
 */
const [directory = '', cgroupRoot = '', mode = '', count = '1'] = process.argv.slice(2)
const runtime = await processRuntime({
  directory: `${directory}/state`,
  clock: systemClock,
  logger: consoleLogger('silent'),
  cgroupRoot,
})
const sandbox = await runtime.runSandbox({
  namespace: 'default',
  name: 'driven',
  uid: 'driven',
  hostname: 'driven',
  directory: `${directory}/pod`,
})
for (let index = 0; index < Number(count); index += 1) {
  const script =
    mode === 'hold' && index === 1
      ? `echo begin; while [ ! -e ${directory}/end ]; do sleep 0.02; done; echo end; exit 21`
      : `echo run >> ${directory}/runs-${index}; echo line; exec sleep 1000`
  const status = await runtime.startContainer(sandbox.id, {
    name: `c${index}`,
    attempt: 0,
    image: 'local/shell',
    command: ['sh', '-c', script],
    args: [],
    env: {},
    mounts: [],
    limits: {},
    logPath: `${directory}/logs/c${index}.log`,
    labels: {},
  })
  process.stdout.write(`${status.id}\n`)
}
process.stdout.write('started\n')
