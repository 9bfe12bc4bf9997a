import type { DocumentId, Position } from '../ids.ts'
import type { Storage } from '../interfaces/storage.ts'
import { isRefused } from './lineage.ts'
import type { Plan } from './plan.ts'
import { readWhatIsLeft } from './repair.ts'

type Stopped = Pick<Plan, 'dropped' | 'rejected'>

/** Where the entries of a plan begin, and where the log ends now. */
interface Written {
  readonly first: Position
  readonly head: Position
}

/**
 * Takes off the disk what stopped counting with a plan that is durable since `first`.
 *
 * @returns undefined when nothing did: most appends have nothing to wait for.
 */
export function dropStopped(
  storage: Storage,
  plan: Stopped,
  written: Written,
): Promise<void> | undefined {
  if (plan.dropped.size + plan.rejected.size === 0) return undefined
  return dropEach(storage, plan, written)
}

async function dropEach(storage: Storage, plan: Stopped, { first, head }: Written): Promise<void> {
  for (const [document, index] of plan.dropped) await dropAll(storage, document, first + index - 1)
  for (const [document, hashes] of plan.rejected) {
    const { entries } = await readWhatIsLeft(storage, document, head)
    const refused = entries.filter((entry) => isRefused(entry, hashes))
    await storage.drop(refused.map(({ position }) => position))
  }
}

/** What is damaged goes as well: it does not count either. */
async function dropAll(storage: Storage, document: DocumentId, last: Position): Promise<void> {
  const { entries, damaged } = await readWhatIsLeft(storage, document, last)
  await storage.drop([...entries.map(({ position }) => position), ...damaged])
}
