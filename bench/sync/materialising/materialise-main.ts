// Materialising in a process of its own, so that it does not pay for what ran before it.

import { serveCommands } from '../harness/serve-commands.ts'
import { benchMaterialise } from '../materialise.ts'

serveCommands({
  measure: (options: { readonly runs?: number }) => benchMaterialise(options),
})
