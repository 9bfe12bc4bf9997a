import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Programs } from './harness/programs.ts'
import type { RowResult } from './harness/result.ts'
import { machine, versions } from './machine.ts'
import { readable } from './readable.ts'
import { ROWS } from './rows.ts'

/** How the table is measured. */
export interface SyncBenchOptions {
  readonly json: boolean
  /** Runs of each row. Default: what each row thinks right, five where a run is short. */
  readonly runs: number | undefined
  /** Names of rows. Default: all. */
  readonly only: readonly string[] | undefined
  /** Small amounts: to see that everything works. */
  readonly quick: boolean
}

/** Measures the table of the sync engine beside its peers, and prints it. */
export async function benchSync(options: SyncBenchOptions): Promise<void> {
  const rows = ROWS.filter(({ name }) => options.only?.includes(name) ?? true)
  const unknown = options.only?.filter((name) => !ROWS.some((row) => row.name === name)) ?? []
  if (unknown.length > 0 || rows.length === 0) {
    const known = ROWS.map(({ name, about }) => `  ${name.padEnd(14)}${about}`).join('\n')
    process.stderr.write(`there is no row ${unknown.join(', ')}; the rows are\n${known}\n`)
    process.exit(2)
  }
  const say = (line: string): void => {
    if (!options.json) process.stderr.write(`${line}\n`)
  }
  const directory = await mkdtemp(join(process.env['TIDEWAY_BENCH_DIRECTORY'] ?? tmpdir(), 'sync-'))
  const programs = await Programs.compile()
  const results: RowResult[] = []
  try {
    const context = { programs, directory, runs: options.runs, quick: options.quick, say }
    for (const row of rows) results.push(...(await row.run(context)))
  } finally {
    await programs.close()
    await rm(directory, { recursive: true, force: true })
  }
  const head = { benchmark: 'sync', quick: options.quick, machine: machine(), versions: versions() }
  if (options.json) process.stdout.write(`${JSON.stringify({ ...head, rows: results })}\n`)
  else process.stdout.write(readable('Sync engine', { ...head, rows: results }))
}
