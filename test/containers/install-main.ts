// Builds the newest containerd ahead of the tests that want one beside that of the system.

import { installForTests } from '../cluster/install.ts'
import { installContainerd } from './containerd-program.ts'

/** A first build on two cores takes a part of this. */
const INSTALL_MS = 15 * 60_000

const TESTS = 'the tests that need the newest containerd'

await installForTests('containerd', TESTS, INSTALL_MS, installContainerd)
