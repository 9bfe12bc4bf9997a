// A reconnect with both sides in one process of its own, so that no row pays for what ran before it.

import { reconnectAutomergeRepo } from '../../reconnect/automerge-repo.ts'
import { reconnectHocuspocus } from '../../reconnect/hocuspocus.ts'
import type { Scenario } from '../../reconnect/scenario.ts'
import { reconnectTideway } from '../../reconnect/tideway.ts'
import { serveCommands } from '../harness/serve-commands.ts'

serveCommands({
  tideway: (scenario: Scenario) => reconnectTideway(scenario),
  'automerge-repo': (scenario: Scenario) => reconnectAutomergeRepo(scenario),
  hocuspocus: (scenario: Scenario) => reconnectHocuspocus(scenario),
})
