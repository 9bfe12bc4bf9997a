// Builds the kubelet ahead of the tests that want one.

import { installForTests } from '../cluster/install.ts'
import { installKubelet } from './kubelet-program.ts'

/** A first build on two cores takes most of this. */
const INSTALL_MS = 25 * 60_000

await installForTests('kubelet', 'the tests that need a real kubelet', INSTALL_MS, installKubelet)
