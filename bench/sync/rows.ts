import type { Row } from './row.ts'
import { uploadRow } from './upload/index.ts'

/** Every row of the table, in its order. */
export const ROWS: readonly Row[] = [uploadRow]
