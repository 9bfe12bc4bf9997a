import type { DocumentId, Position } from '../ids.ts'
import type { Storage } from '../interfaces/storage.ts'
import { fromRecord, type StoredEntry } from './entry.ts'
import { isRefused } from './lineage.ts'
import type { Plan } from './plan.ts'

/** How much of a document is read at once. */
const PAGE_BYTES_MAX = 1 << 20

/** Takes off the disk what stopped counting with a plan that is durable since `first`. */
export async function dropStopped(
  storage: Storage,
  plan: Pick<Plan, 'dropped' | 'rejected'>,
  { first, head }: { readonly first: Position; readonly head: Position },
): Promise<void> {
  for (const [document, index] of plan.dropped) {
    await dropUpTo(storage, document, first + index - 1, () => true)
  }
  for (const [document, hashes] of plan.rejected) {
    await dropUpTo(storage, document, head, (entry) => isRefused(entry, hashes))
  }
}

async function dropUpTo(
  storage: Storage,
  document: DocumentId,
  upTo: Position,
  gone: (entry: StoredEntry) => boolean,
): Promise<void> {
  const positions: Position[] = []
  for (let after = 0; after < upTo; ) {
    const page = await storage.read({ document, after, upTo, bytesMax: PAGE_BYTES_MAX })
    for (const entry of page.records.map(fromRecord)) {
      if (gone(entry)) positions.push(entry.position)
    }
    if (page.end) break
    after = page.upTo
  }
  await storage.drop(positions)
}
