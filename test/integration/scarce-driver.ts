import { closeSync, openSync } from 'node:fs'
import type { Logger } from 'tideway'
import { consoleLogger, systemClock } from 'tideway'
import { processRuntime } from 'tideway/adapters/runtime/process'

/**
 * Opens a process runtime without a file descriptor to spare: `scarce-driver.ts DIRECTORY CGROUP_ROOT WHEN`,
 * for which `ulimit -n` has to be low. WHEN is `before` it finds out what the machine has, `after` that, or
 * `later`: a single one is left then, so that only what opens two at once fails. They are given back when the runtime says that it tries again; what it holds then is printed as JSON.
 */
const [directory = '', cgroupRoot = '', when = 'after'] = process.argv.slice(2)
const taken: number[] = []

function takeAll(): void {
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'))
  } catch (error) {
    if ((error as { code?: string }).code !== 'EMFILE') throw error
  }
}

let triedAgain = 0
const silent = consoleLogger('silent')
const logger: Logger = {
  ...silent,
  warn(message, fields) {
    silent.warn(message, fields)
    if (when !== 'before' && message.startsWith('no pid namespaces here')) {
      takeAll()
      if (when === 'later') closeSync(taken.pop() ?? -1)
    }
    if (!message.startsWith('too little to look at')) return
    triedAgain += 1
    for (const descriptor of taken.splice(0)) closeSync(descriptor)
  },
}

if (when === 'before') takeAll()
const runtime = await processRuntime({
  directory: `${directory}/state`,
  clock: systemClock,
  logger,
  cgroupRoot,
  // Without mounts there are none, which is told between the two.
  ...{ mounts: 'never', processes: 'auto' },
})
const { containers } = await runtime.list()
const states = containers.map(({ id, state }) => [id, state])
process.stdout.write(`${JSON.stringify({ triedAgain, states, limits: runtime.supports.limits })}\n`)
await runtime.close()
