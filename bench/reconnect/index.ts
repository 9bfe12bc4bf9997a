import type { Reconnect } from '../counting.ts'
import { median, table } from '../report.ts'
import { reconnectAutomergeRepo } from './automerge-repo.ts'
import { reconnectHocuspocus } from './hocuspocus.ts'
import { SCENARIO, type Scenario } from './scenario.ts'
import { reconnectTideway } from './tideway.ts'

const SYSTEMS: Readonly<Record<string, (scenario: Scenario) => Promise<Reconnect>>> = {
  tideway: reconnectTideway,
  'automerge-repo': reconnectAutomergeRepo,
  hocuspocus: reconnectHocuspocus,
}

const FIGURES = ['bytes', 'messages', 'roundTrips', 'ms', 'cpuMs'] as const

/** What a reconnect costs after a few of many documents changed on both sides, per system: medians. */
export async function benchReconnect(options: {
  readonly json: boolean
  readonly runs: number
}): Promise<void> {
  const runs: Record<string, Reconnect[]> = {}
  // The systems take turns, so that a machine that changes its speed changes it for both.
  for (let run = 0; run < options.runs; run += 1) {
    for (const [system, measureOnce] of Object.entries(SYSTEMS)) {
      if (!options.json) process.stderr.write(`run ${run + 1} of ${options.runs}: ${system}\n`)
      const figures = runs[system] ?? []
      runs[system] = figures
      figures.push(await measureOnce(SCENARIO))
    }
  }
  const systems = Object.fromEntries(
    Object.entries(runs).map(([system, all]) => [system, medians(all)]),
  )
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ benchmark: 'reconnect', scenario: SCENARIO, runs: options.runs, systems })}\n`,
    )
    return
  }
  const rows = Object.entries(systems).map(([system, figures]) => [
    system,
    ...FIGURES.map((name) => figures[name]),
  ])
  const { documents, changedAtCloud, changedAtEdge } = SCENARIO
  process.stdout.write(
    `Reconnect with ${documents} documents, ${changedAtCloud} changed on one side and ${changedAtEdge} on the other (medians of ${options.runs})\n`,
  )
  process.stdout.write(`${table(['system', ...FIGURES], rows)}\n`)
}

function medians(all: readonly Reconnect[]): Reconnect {
  const of = (name: (typeof FIGURES)[number]): number => median(all.map((figures) => figures[name]))
  return {
    bytes: of('bytes'),
    messages: of('messages'),
    roundTrips: of('roundTrips'),
    ms: of('ms'),
    cpuMs: of('cpuMs'),
  }
}
