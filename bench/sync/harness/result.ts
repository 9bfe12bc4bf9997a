import { median } from '../../report.ts'

/** Figures of one run, by name with the unit last: `ms`, `bytesUp`, `eventsPerSecond`. */
export type Figures = Readonly<Record<string, number>>

/** One promise and what was measured of it. */
export interface Check {
  readonly name: string
  readonly value: number
  readonly atMost?: number
  readonly atLeast?: number
  readonly met: boolean
}

/** One row of the table. */
export interface RowResult {
  readonly row: string
  readonly title: string
  readonly target: string
  readonly runs: number
  /** By system, the medians of the figures of its runs. */
  readonly systems: Readonly<Record<string, Figures>>
  readonly checks: readonly Check[]
  readonly met: boolean
  readonly notes: readonly string[]
}

export function atMost(name: string, value: number, limit: number): Check {
  return { name, value, atMost: limit, met: value <= limit }
}

export function atLeast(name: string, value: number, limit: number): Check {
  return { name, value, atLeast: limit, met: value >= limit }
}

/** The medians of each figure over runs that have the same figures. */
export function medians(runs: readonly Figures[]): Figures {
  const names = Object.keys(runs[0] ?? {})
  return Object.fromEntries(
    names.map((name) => [name, median(runs.map((figures) => figures[name] ?? Number.NaN))]),
  )
}

/**
 * Runs the systems in turns, so that a machine that changes its speed changes it for all. A peer that
 * fails is counted in its figure `failures` and does not end the measurement; Tideway may not fail.
 */
export async function inTurns(
  runs: number,
  systems: Readonly<Record<string, (run: number) => Promise<Figures>>>,
  say: (line: string) => void,
): Promise<Record<string, Figures>> {
  const all = new Map<string, Figures[]>()
  const failures = new Map<string, number>()
  // For who tunes one system: the others' figures are then not there.
  const wanted = process.env['TIDEWAY_BENCH_SYSTEMS']?.split(',')
  for (let run = 0; run < runs; run += 1) {
    for (const [system, measure] of Object.entries(systems)) {
      if (wanted?.includes(system) === false) continue
      try {
        const figures = await measure(run)
        say(`  ${run + 1}/${runs} ${system} ${inShort(figures)}`)
        all.set(system, [...(all.get(system) ?? []), figures])
      } catch (error) {
        if (system === 'tideway') throw error
        say(`  ${run + 1}/${runs} ${system} failed: ${String(error)}`)
        failures.set(system, (failures.get(system) ?? 0) + 1)
      }
    }
  }
  return Object.fromEntries(
    Object.keys(systems).map((system) => {
      const failed = failures.get(system)
      const figures = medians(all.get(system) ?? [])
      return [system, failed === undefined ? figures : { ...figures, failures: failed }]
    }),
  )
}

/** A figure of a system, or NaN: a check on it is then not met. */
export function figure(
  systems: Readonly<Record<string, Figures>>,
  system: string,
  name: string,
): number {
  return systems[system]?.[name] ?? Number.NaN
}

function inShort(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(', ')
}
