import type { Replica, Sha256 } from '../../../core/index.ts'
import { documentId, uidOf } from './identity.ts'
import type { ObjectFate, ObjectKey } from './types.ts'

/** How many lives of a name are looked ahead of the newest that is known here. */
const AHEAD_MAX = 64

/** How many lives of a name are looked back. */
const BACK_MAX = 10_000

/** What {@link fateOf} asks. */
export interface FateSources {
  readonly replica: Pick<Replica, 'record'>
  readonly fleet: string
  readonly sha256: Sha256
  /** The newest incarnation of the name that is known here; 0 when it was never heard of. */
  readonly newest: number
  /** The uid of the object that is shown under the name. */
  readonly shownUid: string | undefined
}

/**
 * What became of the object that had a uid under a name. A uid follows from the name and the number of
 * its life, so it can be told whether it is one that ended, one that others may still bring, or none.
 */
export async function fateOf(
  key: ObjectKey,
  uid: string,
  { replica, fleet, sha256, newest, shownUid }: FateSources,
): Promise<ObjectFate> {
  if (uid === shownUid) return 'here'
  const is = (incarnation: number): boolean => uidOf({ ...key, incarnation }, fleet, sha256) === uid
  for (let life = newest; life > Math.max(0, newest - BACK_MAX); life -= 1) {
    if (!is(life)) continue
    const record = await replica.record(documentId({ ...key, incarnation: life }, 'desired'))
    return record?.deleted === true ? 'gone' : 'unseen'
  }
  for (let life = newest + 1; life <= newest + AHEAD_MAX; life += 1) {
    if (is(life)) return 'unseen'
  }
  return 'never'
}
