import { bundleRow } from './bundle/index.ts'
import { fanInRow } from './fan-in/index.ts'
import { fanOutRow } from './fan-out/index.ts'
import { fleetRow } from './fleet/index.ts'
import { idleRow } from './idle/index.ts'
import { liveRow } from './live/index.ts'
import { materialiseRow } from './materialising/index.ts'
import { reconnectRow } from './reconnect/index.ts'
import { unchangedRow } from './reconnect/unchanged.ts'
import type { Row } from './row.ts'
import { uploadRow } from './upload/index.ts'

/** Every row of the table, in its order. */
export const ROWS: readonly Row[] = [
  uploadRow,
  reconnectRow,
  unchangedRow,
  liveRow,
  fanInRow,
  fanOutRow,
  idleRow,
  fleetRow,
  materialiseRow,
  bundleRow,
]
