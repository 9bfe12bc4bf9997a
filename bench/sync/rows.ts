import { fanInRow } from './fan-in/index.ts'
import { fleetRow } from './fleet/index.ts'
import { liveRow } from './live/index.ts'
import type { Row } from './row.ts'
import { uploadRow } from './upload/index.ts'

/** Every row of the table, in its order. */
export const ROWS: readonly Row[] = [uploadRow, liveRow, fanInRow, fleetRow]
