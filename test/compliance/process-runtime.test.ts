import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import {
  type ProcessRuntimeOptions,
  processRuntime,
} from '../../src/adapters/runtime/process/index.ts'
import { type RuntimePlace, runtimeSuite } from '../../src/compliance/index.ts'
import { consoleLogger, systemClock } from '../../src/system.ts'
import { runtimePlace } from '../support/runtime-place.ts'

describe('process runtime with what the machine gives', () => {
  runtimeSuite({ test, factory: () => place({}) })
})

describe('process runtime with processes apart', () => {
  runtimeSuite({ test, factory: () => place({ processes: 'auto' }) })
})

describe('process runtime without mounts and cgroups', () => {
  runtimeSuite({ test, factory: () => place({ mounts: 'never', cgroups: 'never' }) })
})

let places = 0

async function place(options: Partial<ProcessRuntimeOptions>): Promise<RuntimePlace> {
  const directory = await mkdtemp(join(tmpdir(), 'tideway-runtime-'))
  // Other users pass through, as they do on the way to the pods of a machine.
  await chmod(directory, 0o711)
  places += 1
  const cgroupRoot = `tideway-suite-${process.pid}-${places}`
  return runtimePlace(directory, () =>
    processRuntime({
      directory: join(directory, 'state'),
      clock: systemClock,
      logger: consoleLogger('silent'),
      cgroupRoot,
      ...options,
    }),
  )
}
