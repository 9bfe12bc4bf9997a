import type { ContainerSpec, ContainerStatus } from '../adapters/runtime/index.ts'
import { type DeadlineMs, type TestFunction, within } from './check.ts'
import { containerChecks } from './runtime-containers.ts'
import type { RuntimeCheck, RuntimePlace } from './runtime-fixture.ts'
import { lifeChecks } from './runtime-life.ts'
import { limitChecks } from './runtime-limits.ts'
import { podLimitChecks } from './runtime-pod-limits.ts'
import { processChecks } from './runtime-processes.ts'
import { securityChecks } from './runtime-security.ts'
import { sessionChecks } from './runtime-sessions.ts'

/** Options of {@link runtimeSuite}. */
export interface RuntimeSuiteOptions {
  /** Registers one check with the test runner. */
  readonly test: TestFunction
  /** Makes a new, empty place. Called once for each check. */
  readonly factory: () => RuntimePlace | Promise<RuntimePlace>
  /** An image that has `sh` and what busybox has. Default: `local/shell`. */
  readonly image?: string | undefined
  /** Called with the name of each check that is left out, as the runtime does not promise it. */
  readonly unchecked?: ((name: string) => void) | undefined
  /** How long one check may wait for something to happen. Default: 20 s. */
  readonly deadlineMs?: DeadlineMs | undefined
}

const CHECKS: readonly RuntimeCheck[] = [
  ...containerChecks,
  ...limitChecks,
  ...podLimitChecks,
  ...securityChecks,
  ...lifeChecks,
  ...processChecks,
  ...sessionChecks,
]
const LOOK_MS = 20

/**
 * Checks every promise of the PodRuntime interface against one implementation, with real processes.
 *
 * A promise that the implementation does not make (`supports`) passes unchecked, and is told to
 * `unchecked`.
 */
export function runtimeSuite(options: RuntimeSuiteOptions): void {
  const deadlineMs = options.deadlineMs ?? 20_000
  for (const each of CHECKS) {
    options.test(each.name, async () => {
      const place = await options.factory()
      try {
        const isChecked = await runCheck(each, place, options.image ?? 'local/shell', deadlineMs)
        if (!isChecked) options.unchecked?.(each.name)
      } finally {
        await place.dispose()
      }
    })
  }
}

/** @returns whether it was checked: whether the runtime promises it. */
async function runCheck(
  { when, run }: RuntimeCheck,
  place: RuntimePlace,
  image: string,
  deadlineMs: DeadlineMs,
): Promise<boolean> {
  let runtime = await within(place.open(), deadlineMs, 'opening')
  try {
    if (when?.(runtime.supports, runtime) === false) return false
    const directory = await place.podDirectory()
    // As uids are: its checks may run at once on one engine.
    const uid = crypto.randomUUID()
    const sandboxSpec = { namespace: 'suite', name: 'pod', uid, hostname: 'pod', directory }
    const sandbox = await within(runtime.runSandbox(sandboxSpec), deadlineMs, 'running a sandbox')
    const eventually = (isSo: () => Promise<boolean>, what: string): Promise<void> =>
      within(waitUntil(isSo), deadlineMs, what)
    await run({
      runtime,
      sandbox,
      sandboxSpec,
      async reopen() {
        await within(runtime.close(), deadlineMs, 'closing')
        runtime = await within(place.open(), deadlineMs, 'opening again')
        return runtime
      },
      shell: (script, over = {}) =>
        shellContainer(directory, image, script, over, runtime.supports.images),
      readLog: (path) => place.readLog(path),
      async until(id, fits, what) {
        let found: ContainerStatus | undefined
        await eventually(async () => {
          found = (await runtime.list()).containers.find((each) => each.id === id)
          return found !== undefined && fits(found)
        }, what)
        if (found === undefined) throw new Error('unreachable: eventually has waited for it')
        return found
      },
      eventually,
    })
    return true
  } finally {
    await within(runtime.close(), deadlineMs, 'closing')
  }
}

function shellContainer(
  directory: string,
  image: string,
  script: string,
  over: Partial<ContainerSpec>,
  hasImages: boolean,
): ContainerSpec {
  // Where containers have files of their own, checks look for what they write in the pod's directory.
  const shared = { volume: 'suite', source: directory, path: directory, readOnly: false }
  const mounts = [...(over.mounts ?? []), ...(hasImages ? [shared] : [])]
  const name = over.name ?? 'main'
  const attempt = over.attempt ?? 0
  return {
    name,
    attempt,
    image,
    command: ['sh', '-c', script],
    args: [],
    env: {},
    limits: {},
    logPath: `${directory}-logs/${name}/${attempt}.log`,
    labels: {},
    ...over,
    mounts,
  }
}

async function waitUntil(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_MS)
    })
  }
}
