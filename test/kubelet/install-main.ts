// Builds the kubelet ahead of the tests that want one. Ends well where that is not possible: those
// tests are then skipped, by name and counted.

import { installKubelet } from './kubelet-program.ts'

/** A first build on two cores takes most of this. */
const INSTALL_MS = 25 * 60_000

const tell = (line: string): void => console.warn(`kubelet: ${line}`)

try {
  await installKubelet(tell, AbortSignal.timeout(INSTALL_MS))
} catch (error) {
  const why = error instanceof Error ? error.message : String(error)
  tell(`NOT INSTALLED: ${why}`)
  tell('the tests that need a real kubelet will be skipped')
}
