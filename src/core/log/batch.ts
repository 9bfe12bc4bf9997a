import type { Committed, Submission } from './submission.ts'
import { buildsOn, entriesOf, readsEvents, sizeOf } from './work.ts'

/** How many submissions one append takes at most, so that one slow sync does not hold everything. */
const BATCH_SUBMISSIONS_MAX = 512

/**
 * How many bytes and entries one append takes at most; a larger submission goes alone. Planning holds
 * up everything else, so this is also how long a message or an edit waits: some 20 ms.
 */
const BATCH_BYTES_MAX = 1 << 20
const BATCH_ENTRIES_MAX = 2_048

/** Something that waits for its turn at the log. */
export type Work =
  | {
      readonly type: 'submission'
      readonly submission: Submission
      readonly settle: Settle<Committed>
    }
  | { readonly type: 'barrier'; readonly run: () => Promise<void> }

/** A submission, and who waits for it. */
export type Waiting = Extract<Work, { type: 'submission' }>

interface Settle<T> {
  resolve(value: T): void
  reject(error: unknown): void
}

/**
 * Takes from the front of a queue the submissions that can be planned together: at least one, in their
 * order. One that reads a document's events goes alone. The queue begins with a submission.
 */
export function takeBatch(queue: Work[]): readonly Waiting[] {
  const batch: Waiting[] = []
  let bytes = 0
  let entries = 0
  for (const work of queue) {
    if (work.type === 'barrier' || batch.length >= BATCH_SUBMISSIONS_MAX) break
    const alone = readsEvents(work.submission)
    bytes += sizeOf(work.submission)
    entries += entriesOf(work.submission)
    const full = bytes > BATCH_BYTES_MAX || entries > BATCH_ENTRIES_MAX
    if ((alone || full) && batch.length > 0) break
    batch.push(work)
    if (alone) break
  }
  queue.splice(0, batch.length)
  return batch
}

/**
 * Rejects a batch that failed, and what waits behind it and builds on it.
 *
 * @returns the rest of the queue: it goes on.
 */
export function failBatch(
  batch: readonly Waiting[],
  queue: readonly Work[],
  error: unknown,
): Work[] {
  const lost = new Set<string>()
  for (const work of batch) for (const name of buildsOn(work.submission)) lost.add(name)
  const rest: Work[] = []
  for (const work of batch) work.settle.reject(error)
  for (const work of queue) {
    const names = work.type === 'barrier' ? [] : buildsOn(work.submission)
    if (work.type === 'barrier' || !names.some((name) => lost.has(name))) {
      rest.push(work)
      continue
    }
    for (const name of names) lost.add(name)
    work.settle.reject(error)
  }
  return rest
}
