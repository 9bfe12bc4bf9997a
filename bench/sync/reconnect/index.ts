import { SCENARIO, type Scenario } from '../../reconnect/scenario.ts'
import { atMost, type Figures, figure, inTurns } from '../harness/result.ts'
import type { Row, RowContext } from '../row.ts'

const QUICK: Scenario = { documents: 30, changedAtCloud: 3, changedAtEdge: 2 }

/** A few of many documents changed on both sides while they were apart. */
export const reconnectRow: Row = {
  name: 'reconnect',
  about: 'reconnect after 3 and 2 of 1,000 documents changed: bytes and round trips',
  run: async (context) => {
    const scenario = context.quick ? QUICK : SCENARIO
    const runs = context.runs ?? (context.quick ? 1 : 5)
    context.say(`reconnect with ${scenario.documents} documents, 3 + 2 of them changed`)
    const systems = await inTurns(
      runs,
      {
        tideway: () => reconnectOnce(context, 'tideway', scenario),
        'automerge-repo': () => reconnectOnce(context, 'automerge-repo', scenario),
        hocuspocus: () => reconnectOnce(context, 'hocuspocus', scenario),
      },
      context.say,
    )
    const checks = [
      atMost('round trips', figure(systems, 'tideway', 'roundTrips'), 1),
      atMost('bytes in all', figure(systems, 'tideway', 'bytes'), 800),
    ]
    return [
      {
        row: 'reconnect',
        title: `reconnect, 3+2 of ${scenario.documents.toLocaleString('en')} changed`,
        target: 'one round trip, at most 800 bytes in all',
        runs,
        systems,
        checks,
        met: checks.every(({ met }) => met),
        notes: [
          'bytes are those of WebSocket messages; both sides share a process, and cpuMs is of both',
        ],
      },
    ]
  },
}

/** One reconnect of one system in a fresh process. */
export async function reconnectOnce(
  { programs }: RowContext,
  system: string,
  scenario: Scenario,
): Promise<Figures> {
  const program = await programs.start('reconnect')
  try {
    return await program.call<Figures>(system, scenario)
  } finally {
    await program.kill()
  }
}
