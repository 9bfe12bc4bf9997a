import { atMost, type Figures, figure, inTurns } from '../harness/result.ts'
import type { MaterialiseFigures } from '../materialise.ts'
import type { Row, RowContext } from '../row.ts'

const QUICK_PODS = 20

/** What the engine adds to Automerge when one pod is looked at, edited and looked at again. */
export const materialiseRow: Row = {
  name: 'materialise',
  about: 'load, change and diff of a pod, beside bare Automerge',
  run: async (context) => {
    const runs = context.runs ?? (context.quick ? 1 : 5)
    context.say('materialising pods')
    const measured = await inTurns(runs, { both: () => measure(context) }, context.say)
    const of = (name: string): number => figure(measured, 'both', name)
    const checks = [atMost('times bare Automerge', of('ratio'), 1.3)]
    return [
      {
        row: 'materialise',
        title: 'materialising: load, change, diff of a pod',
        target: 'within 1.3 times of bare Automerge',
        runs,
        systems: {
          tideway: { ms: of('tidewayMs'), openMs: of('tidewayOpenMs') },
          'bare Automerge': { ms: of('bareMs'), openMs: of('bareOpenMs') },
        },
        checks,
        met: checks.every(({ met }) => met),
        notes: [
          `each run is the medians of ${of('runs')} pods, both sides in turns in one process`,
        ],
      },
    ]
  },
}

async function measure({ programs, quick }: RowContext): Promise<Figures> {
  const program = await programs.start('materialise')
  try {
    const figures = await program.call<MaterialiseFigures>(
      'measure',
      quick ? { runs: QUICK_PODS } : {},
    )
    return { ...figures }
  } finally {
    await program.kill()
  }
}
