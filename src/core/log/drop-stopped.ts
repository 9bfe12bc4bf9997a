import type { DocumentId, Position } from '../ids.ts'
import type { Storage } from '../interfaces/storage.ts'
import { isRefused } from './lineage.ts'
import type { Plan } from './plan.ts'
import { readWhatIsLeft } from './repair.ts'

/** Takes off the disk what stopped counting with a plan that is durable since `first`. */
export async function dropStopped(
  storage: Storage,
  plan: Pick<Plan, 'dropped' | 'rejected'>,
  { first, head }: { readonly first: Position; readonly head: Position },
): Promise<void> {
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
