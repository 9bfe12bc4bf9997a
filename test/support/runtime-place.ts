import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { PodRuntime } from '../../src/adapters/runtime/index.ts'
import type { RuntimePlace } from '../../src/compliance/index.ts'

/**
 * A place in `directory` where runtimes live one after the other. Disposing of it closes them, removes
 * their pods and then the directory.
 *
 * @param open opens a runtime on what earlier ones have left.
 * @param alter what the checks get instead of a runtime. Default: itself.
 */
export function runtimePlace(
  directory: string,
  open: () => Promise<PodRuntime>,
  alter: (runtime: PodRuntime) => PodRuntime = (runtime) => runtime,
): RuntimePlace {
  const opened: PodRuntime[] = []
  return {
    async open() {
      const runtime = await open()
      opened.push(runtime)
      return alter(runtime)
    },
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
