import type { EventHash } from '../ids.ts'
import type { CheckedEvent } from './submission.ts'

/** An event and every one that builds on it, in whatever order they came; none when it is not there. */
export function withDescendants(
  hash: EventHash,
  events: readonly CheckedEvent[],
): ReadonlySet<EventHash> {
  const found = new Set<EventHash>()
  if (!events.some(({ header }) => header.hash === hash)) return found
  found.add(hash)
  for (let before = 0; before !== found.size; ) {
    before = found.size
    for (const { header } of events) {
      if (header.parents.some((parent) => found.has(parent))) found.add(header.hash)
    }
  }
  return found
}
