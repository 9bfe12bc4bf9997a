import { startFleet } from './fleet.ts'
import { memoryOf } from './programs.ts'
import { median, table } from './report.ts'

const SETTLE_MS = 10_000
const MIB = 1 << 20

/** Memory of an idle cloudcore with one node, and of its edgecore without pods: medians over fresh starts. */
export async function benchMemory(options: {
  readonly json: boolean
  readonly runs: number
}): Promise<void> {
  const samples: Record<'cloudcore' | 'edgecore', { rssBytes: number; anonymousBytes: number }[]> =
    { cloudcore: [], edgecore: [] }
  for (let run = 0; run < options.runs; run += 1) {
    const fleet = await startFleet()
    try {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
      samples.cloudcore.push(await memoryOf(fleet.cloudPid))
      samples.edgecore.push(await memoryOf(fleet.edgePid))
    } finally {
      await fleet.stop()
    }
  }
  const programs = Object.fromEntries(
    Object.entries(samples).map(([program, all]) => [
      program,
      {
        rssMiB: median(all.map((sample) => sample.rssBytes)) / MIB,
        anonymousMiB: median(all.map((sample) => sample.anonymousBytes)) / MIB,
      },
    ]),
  )
  const node = process.version
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ benchmark: 'memory', node, runs: options.runs, programs })}\n`,
    )
    return
  }
  const rows = Object.entries(programs).map(([program, { rssMiB, anonymousMiB }]) => [
    program,
    rssMiB,
    anonymousMiB,
  ])
  process.stdout.write(`Idle memory, Node ${node}, medians of ${options.runs} starts\n`)
  process.stdout.write(`${table(['program', 'RSS MiB', 'of it not from files'], rows)}\n`)
}
