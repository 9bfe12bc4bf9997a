import type { ActorId, ReplicaId } from '../ids.ts'
import type { Random } from '../interfaces/clock.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { Storage } from '../interfaces/storage.ts'
import type { Rewriter } from './generation.ts'
import type { LateLimits } from './late-room.ts'

/** What an event log is opened with. */
export interface EventLogOptions {
  readonly storage: Storage
  /** The name of this replica. Default: what the storage says, or a random one for an empty storage. */
  readonly replica?: ReplicaId | undefined
  readonly sha256: Sha256
  readonly random: Random
  readonly genesisActor: ActorId
  readonly isGenesis: (hash: string, message: string | undefined) => boolean
  /** Looks inside events when a generation of a document ends. Default: history is never cut. */
  readonly rewriter?: Rewriter | undefined
  /** Told of listeners that throw and of entries that could not be dropped. Default: nobody. */
  readonly logger?: Logger | undefined
  /** How many document records stay in memory. Default: 50,000, at about 200 bytes each. */
  readonly recordsMax?: number | undefined
  /** How much is kept aside of events of other generations. Default: {@link LATE_LIMITS}. */
  readonly lateLimits?: LateLimits | undefined
  /** Told of each append with its number of entries; what it returns is called when that is durable. */
  readonly timed?: ((entries: number) => () => void) | undefined
}
