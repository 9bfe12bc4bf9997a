// Builds the newest containerd ahead of the tests that want one beside that of the system. Ends well
// where that is not possible: those tests are then skipped, by name and counted.

import { installContainerd } from './containerd-program.ts'

/** A first build on two cores takes a part of this. */
const INSTALL_MS = 15 * 60_000

const tell = (line: string): void => console.warn(`containerd: ${line}`)

try {
  await installContainerd(tell, AbortSignal.timeout(INSTALL_MS))
} catch (error) {
  const why = error instanceof Error ? error.message : String(error)
  tell(`NOT INSTALLED: ${why}`)
  tell('the tests that need the newest containerd will be skipped')
}
