import { sha256 } from '@noble/hashes/sha2.js'

import {
  type ReplicaOptions as CoreReplicaOptions,
  openReplica,
  type Replica,
} from './core/index.ts'
import { consoleLogger, systemClock, systemRandom } from './system.ts'

/** What a replica is made of. Only `storage` has no default. */
export type ReplicaOptions = Pick<CoreReplicaOptions, 'storage'> & Partial<CoreReplicaOptions>

/**
 * Opens a replica on a storage, with the clock and the random source of the machine, a logger that
 * prints warnings, and SHA-256 in JavaScript where nothing else is given.
 *
 * @throws StorageForeignError when the storage belongs to a replica of another name.
 */
export function createReplica(options: ReplicaOptions): Promise<Replica> {
  return openReplica({
    clock: systemClock,
    random: systemRandom,
    logger: consoleLogger('warn'),
    sha256,
    ...options,
  })
}

export {
  type AbortOptions,
  AccessError,
  type ActorId,
  type Appended,
  assert,
  assertNever,
  type Batch,
  BufferOverflowError,
  type Cancel,
  CLOUD,
  type Clock,
  type CloseReason,
  type CloudRules,
  type CollectionId,
  type ConnectedPeer,
  type Connection,
  ConnectionClosedError,
  type ConnectOptions,
  cloudPolicy,
  DENIED,
  type Denial,
  DialError,
  type DocumentChange,
  DocumentError,
  type DocumentHandle,
  type DocumentId,
  type DocumentKind,
  type DocumentRecord,
  denyAll,
  type EditOptions,
  type EntryKind,
  type Epoch,
  type ErrorCode,
  type ErrorFields,
  type ErrorOptions,
  type EventHash,
  edgePolicy,
  equalValues,
  freeze,
  type Grant,
  grants,
  type Heads,
  InvariantError,
  isTidewayError,
  type JsonMap,
  type JsonValue,
  type Listener,
  type LogFields,
  type Logger,
  MessageTooLargeError,
  type NewRecord,
  nodeCollection,
  nodeOf,
  nodePrincipal,
  type OpenOptions,
  type PeerStream,
  PLAIN_KIND,
  type Policy,
  type Position,
  type Principal,
  ProtocolError,
  type Put,
  type Random,
  type RecordPage,
  type RecordQuery,
  type RejectedRecord,
  type Replica,
  type ReplicaId,
  type Sha256,
  type Shape,
  type Signal,
  type Storage,
  StorageConflictError,
  StorageCorruptError,
  type StorageFeatures,
  StorageForeignError,
  StorageLockedError,
  StorageUnavailableError,
  type StoredEntry,
  type StoredRecord,
  type StreamAccepter,
  TidewayError,
  type Transport,
  type TransportFeatures,
  type Uplink,
  type UplinkStatus,
  UsageError,
  type WriteRequest,
} from './core/index.ts'
export { consoleLogger, type LogLevel, systemClock, systemRandom } from './system.ts'
