import { type PodCase, placed } from './case-files.ts'
import { startHealthServer } from './health-server.ts'
import type { NodeSide } from './node-side.ts'
import { nodeAddress } from './normalize.ts'
import { type PodAnswer, removeCase, runCase, type Settled } from './run-case.ts'

/** How many pods are there at once: as many as two cores can run without waiting for each other. */
const AT_ONCE = 8

/** What there was to see of each case, by name; an Error where a case did not come to its end. */
export type Answers = ReadonlyMap<string, readonly PodAnswer[] | Error>

/** Runs cases on a node, several at a time. */
export async function runAll(
  cases: readonly PodCase[],
  side: NodeSide,
  settledFor: (given: PodCase) => Settled,
): Promise<Answers> {
  const health = await startHealthServer(nodeAddress(side.store) ?? '127.0.0.1')
  const places = { ...side.places, grpcPort: health.port }
  const answers = new Map<string, readonly PodAnswer[] | Error>()
  const waiting = [...cases]
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        answers.set(next.name, await runCase(placed(next, places), side, settledFor(next)))
        await removeCase(next, side)
      } catch (error) {
        answers.set(next.name, error instanceof Error ? error : new Error(String(error)))
        await removeCase(next, side).catch(() => undefined)
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  } finally {
    await health.close()
  }
  return answers
}
