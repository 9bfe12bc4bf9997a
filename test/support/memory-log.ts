import { MemoryMedium, memoryStorage } from '../../src/adapters/storage/memory/index.ts'
import { GENESIS_ACTOR } from '../../src/core/document/kind.ts'
import type { Sha256 } from '../../src/core/interfaces/hasher.ts'
import type { Storage } from '../../src/core/interfaces/storage.ts'
import { EventLog } from '../../src/core/log/event-log.ts'
import { nodeSha256 } from '../../src/node/index.ts'
import { systemRandom } from '../../src/system.ts'

export const sha256: Sha256 = nodeSha256()

/** A log on a memory storage, or on the given one. */
export function openLog(
  options: {
    readonly storage?: Storage
    readonly replica?: string
    readonly genesis?: readonly string[]
    readonly recordsMax?: number
  } = {},
): Promise<EventLog> {
  return EventLog.open({
    storage: options.storage ?? memoryStorage({ medium: new MemoryMedium() }),
    replica: options.replica,
    sha256,
    random: systemRandom,
    genesisActor: GENESIS_ACTOR,
    recordsMax: options.recordsMax,
    isGenesis: (hash) => options.genesis?.includes(hash) ?? false,
  })
}
