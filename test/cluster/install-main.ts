// Builds and fetches the programs of a real cluster ahead of the tests that want one.

import { installForTests } from './install.ts'
import { installGoPrograms } from './operator-program.ts'
import { findPrograms, installPrograms } from './programs.ts'

/** A first build on two cores takes most of this. */
const INSTALL_MS = 25 * 60_000

await installForTests(
  'cluster',
  'the tests that need a real kube-apiserver',
  INSTALL_MS,
  async (tell, signal) => {
    if ((await findPrograms()) === undefined) await installPrograms(tell, signal)
    await installGoPrograms(tell, signal)
  },
)
