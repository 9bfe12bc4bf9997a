import { type Storage, systemRandom } from 'tideway'
import { nodeSha256 } from 'tideway/node'

import { readEvent } from '../../../src/core/log/event.ts'
import { EventLog } from '../../../src/core/log/event-log.ts'

/** One document with its events, oldest first. */
export interface LoadedDocument {
  readonly id: string
  readonly collection: string
  readonly events: readonly Uint8Array[]
}

/** Documents handed to the log before it is waited for. */
const AHEAD_MAX = 4096

/**
 * Writes the log of a replica as the replica itself would, without opening its documents: the events are
 * checked, planned and appended by the engine's own log.
 */
export async function fillLog(
  storage: Storage,
  replica: string,
  documents: Iterable<LoadedDocument>,
): Promise<void> {
  const sha256 = nodeSha256()
  const log = await EventLog.open({
    storage,
    replica,
    sha256,
    random: systemRandom,
    genesisActor: '00',
    isGenesis: () => false,
  })
  let ahead: Promise<unknown>[] = []
  for (const { id, collection, events } of documents) {
    const checked = events.map((bytes) => ({ bytes, header: readEvent(bytes, sha256) }))
    ahead.push(log.commit({ type: 'local', document: id, collection, events: checked }))
    if (ahead.length < AHEAD_MAX) continue
    await Promise.all(ahead)
    ahead = []
  }
  await Promise.all(ahead)
  await log.close()
}
