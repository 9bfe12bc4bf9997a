import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import type { PodRuntime } from '../../src/adapters/runtime/index.ts'
import {
  type ProcessRuntimeOptions,
  processRuntime,
} from '../../src/adapters/runtime/process/index.ts'
import { type RuntimePlace, runtimeSuite } from '../../src/compliance/index.ts'
import { consoleLogger, systemClock } from '../../src/system.ts'

describe('process runtime with what the machine gives', () => {
  runtimeSuite({ test, factory: () => place({}) })
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
  const opened: PodRuntime[] = []
  const open = async (): Promise<PodRuntime> => {
    const runtime = await processRuntime({
      directory: join(directory, 'state'),
      clock: systemClock,
      logger: consoleLogger('silent'),
      cgroupRoot,
      ...options,
    })
    opened.push(runtime)
    return runtime
  }
  return {
    open,
    async podDirectory() {
      const path = join(directory, 'pod')
      await mkdir(path)
      return path
    },
    readLog: (path) => readFile(path, 'utf8').catch(() => ''),
    async dispose() {
      for (const runtime of opened) await runtime.close()
      const last = await open()
      for (const sandbox of (await last.list()).sandboxes) await last.removeSandbox(sandbox.id)
      await last.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
