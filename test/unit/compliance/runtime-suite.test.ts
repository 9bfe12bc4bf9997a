import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { PodRuntime } from '../../../src/adapters/runtime/index.ts'
import { processRuntime } from '../../../src/adapters/runtime/process/index.ts'
import { type RuntimePlace, runtimeSuite } from '../../../src/compliance/index.ts'
import { consoleLogger, systemClock } from '../../../src/system.ts'
import { runtimePlace } from '../../support/runtime-place.ts'
import { failingChecks } from './failing-checks.ts'

interface Fault {
  readonly fault: string
  readonly alter: (runtime: PodRuntime) => Partial<PodRuntime>
  readonly fails: readonly string[]
}

const FAULTS: readonly Fault[] = [
  {
    fault: 'starts a new container for a known attempt',
    alter: (runtime) => ({
      startContainer: async (id, spec) => {
        const { containers } = await runtime.list()
        const twins = containers.filter((each) => each.labels['asked'] === String(spec.attempt))
        return await runtime.startContainer(id, {
          ...spec,
          attempt: spec.attempt * 100 + twins.length,
          labels: { ...spec.labels, asked: String(spec.attempt) },
        })
      },
    }),
    fails: ['starting the same attempt again starts nothing and returns the container'],
  },
  {
    fault: 'kills without asking',
    alter: (runtime) => ({ stopContainer: (id) => runtime.stopContainer(id, 0) }),
    fails: ['stopping asks first: a container that ends in time keeps its own exit code'],
  },
  {
    fault: 'loses exit codes',
    alter: (runtime) => ({
      list: async (uid) => {
        const { sandboxes, containers } = await runtime.list(uid)
        return { sandboxes, containers: containers.map((each) => ({ ...each, exitCode: 0 })) }
      },
    }),
    fails: [
      'what it starts is running until it ends, and then has its exit code and times',
      'a container that does not end within its grace is killed',
      'the exit code and the output of a container that ends while no driver is there are found',
    ],
  },
  {
    fault: 'never hints',
    alter: () => ({ watch: () => () => {} }),
    fails: ['an end is hinted at'],
  },
  {
    fault: 'lists every pod when asked for one',
    alter: (runtime) => ({ list: () => runtime.list() }),
    fails: ['list can be asked for one pod'],
  },
  {
    fault: 'ends containers when it closes',
    alter: (runtime) => ({
      close: async () => {
        const { containers } = await runtime.list().catch(() => ({ containers: [] }))
        await Promise.all(containers.map((each) => runtime.stopContainer(each.id, 0)))
        await runtime.close()
      },
    }),
    fails: ['containers outlive the driver, and the next one stops them'],
  },
  {
    fault: 'does nothing to stop a sandbox',
    alter: () => ({ stopSandbox: async () => {} }),
    fails: ['a sandbox that is stopped is not ready, and keeps its ended containers'],
  },
  {
    fault: 'removes what it finds in a sandbox, whatever is being started in it',
    alter: (runtime) => ({
      removeSandbox: async (id) => {
        const { containers } = await runtime.list()
        const own = containers.filter((each) => each.sandboxId === id)
        await Promise.all(own.map((each) => runtime.removeContainer(each.id)))
      },
    }),
    fails: ['what is started while its sandbox is removed goes with it'],
  },
  {
    fault: 'says that containers see their own processes only when they see all',
    alter: (runtime) => ({ supports: { ...runtime.supports, processes: true } }),
    fails: ['a container sees its own processes only, and so do commands that join it'],
  },
]

test.each(FAULTS)(
  'the suite catches a runtime that $fault',
  async ({ alter, fails }) => {
    const found = await failingChecks((register) => {
      runtimeSuite({
        // Each check runs real processes: only those that are meant to fail.
        test: (name, run) => (fails.includes(name) ? register(name, run) : undefined),
        factory: () => place(alter),
        deadlineMs: 3_000,
      })
    })
    expect(found).toEqual(fails)
  },
  60_000,
)

let places = 0

async function place(alter: Fault['alter']): Promise<RuntimePlace> {
  const directory = await mkdtemp(join(tmpdir(), 'tideway-broken-'))
  places += 1
  const cgroupRoot = `tideway-broken-${process.pid}-${places}`
  const open = (): Promise<PodRuntime> =>
    processRuntime({
      directory: join(directory, 'state'),
      clock: systemClock,
      logger: consoleLogger('silent'),
      cgroupRoot,
    })
  return runtimePlace(directory, open, (runtime) => {
    const altered = alter(runtime)
    return new Proxy(runtime, {
      get(target, name) {
        if (name in altered) return Reflect.get(altered, name)
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  })
}
