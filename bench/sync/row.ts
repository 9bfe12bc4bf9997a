import type { Programs } from './harness/programs.ts'
import type { RowResult } from './harness/result.ts'

/** What every row is given. */
export interface RowContext {
  readonly programs: Programs
  /** Where durable logs are made; every row removes what it made. */
  readonly directory: string
  /** How many runs the caller asked for; undefined: what the row thinks right. */
  readonly runs: number | undefined
  /** Small amounts, to see that everything works; the figures then mean nothing. */
  readonly quick: boolean
  readonly say: (line: string) => void
}

/** One row of the table, or a few that are measured together. */
export interface Row {
  readonly name: string
  readonly about: string
  run(context: RowContext): Promise<readonly RowResult[]>
}
