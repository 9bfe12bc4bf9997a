// Builds and fetches the programs of a real cluster ahead of the tests that want one. Ends well
// where that is not possible: those tests are then skipped, by name and counted.

import { installGoPrograms } from './operator-program.ts'
import { findPrograms, installPrograms } from './programs.ts'

/** A first build on two cores takes most of this. */
const INSTALL_MS = 25 * 60_000

const tell = (line: string): void => console.warn(`cluster: ${line}`)

try {
  const signal = AbortSignal.timeout(INSTALL_MS)
  if ((await findPrograms()) === undefined) await installPrograms(tell, signal)
  await installGoPrograms(tell, signal)
} catch (error) {
  const why = error instanceof Error ? error.message : String(error)
  tell(`NOT INSTALLED: ${why}`)
  tell('the tests that need a real kube-apiserver will be skipped')
}
