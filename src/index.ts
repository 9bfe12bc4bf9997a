import { sha256 } from '@noble/hashes/sha2.js'

import {
  type CompactionOptions,
  type ReplicaOptions as CoreReplicaOptions,
  type Metrics,
  openReplica,
  type Replica,
} from './core/index.ts'
import { consoleLogger, systemClock, systemRandom } from './system.ts'

/** What a replica is made of. Only `storage` has no default. */
export type ReplicaOptions = Pick<CoreReplicaOptions, 'storage'> &
  Partial<Omit<CoreReplicaOptions, 'compaction' | 'measuring'>> & {
    /** When the history of documents is cut. Default: never, but on {@link Replica.compact}. */
    readonly compaction?: CompactionOptions | undefined
    /** Where measures go. Default: nowhere. */
    readonly metrics?: Metrics | undefined
    /** How many peers have measures of their own at most. Default 1,000. */
    readonly peerSeriesMax?: number | undefined
  }

/**
 * Opens a replica on a storage, with the clock and the random source of the machine, a logger that
 * prints warnings, and SHA-256 in JavaScript where nothing else is given. What cuts histories and what
 * measures is loaded when the options ask for it.
 *
 * @throws StorageForeignError when the storage belongs to a replica of another name.
 */
export async function createReplica(options: ReplicaOptions): Promise<Replica> {
  const { compaction, metrics, peerSeriesMax, ...others } = options
  const cutting = compaction && (await import('./core/replica/compaction.ts')).cutting(compaction)
  const measuring =
    metrics && (await import('./core/replica/measuring.ts')).measuring(metrics, peerSeriesMax)
  return await openReplica({
    clock: systemClock,
    random: systemRandom,
    logger: consoleLogger('warn'),
    sha256,
    ...others,
    compaction: cutting,
    measuring,
  })
}

export {
  type AbortOptions,
  AccessError,
  type ActorId,
  type AdmissionOptions,
  type Appended,
  type Author,
  type AwayReport,
  applyPatches,
  assert,
  assertNever,
  type Batch,
  BufferOverflowError,
  type Cancel,
  type CheckStorageOptions,
  CLOUD,
  type Clock,
  type CloseReason,
  type CloudRules,
  type CollectionId,
  type CompactionOptions,
  type Compression,
  type ConflictingValue,
  type ConnectedPeer,
  type Connection,
  ConnectionClosedError,
  type ConnectOptions,
  type Counter,
  checkStorage,
  cloudPolicy,
  type DamagedDocument,
  DENIED,
  type Denial,
  DialError,
  type DocumentChange,
  DocumentError,
  type DocumentHandle,
  type DocumentId,
  type DocumentKind,
  type DocumentPatch,
  type DocumentPath,
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
  type Gauge,
  type Grant,
  grants,
  type Heads,
  type Histogram,
  type HistogramOptions,
  type HistoryEntry,
  type HistoryOptions,
  InvariantError,
  incarnationId,
  isTidewayError,
  type JsonMap,
  type JsonValue,
  type KeyRange,
  type Labels,
  type LateRecord,
  type Listener,
  type LogFields,
  type Logger,
  type MeasureOptions,
  MessageTooLargeError,
  type Metrics,
  type NewRecord,
  nodeCollection,
  nodeOf,
  nodePrincipal,
  noMetrics,
  type OpenOptions,
  openIncarnation,
  type PatchedChange,
  type PeerReport,
  type PeerStream,
  PLAIN_KIND,
  type Policy,
  type Position,
  type Principal,
  type Projection,
  type ProjectionRow,
  ProtocolError,
  type Put,
  type QuarantinedActor,
  type QuarantineRecord,
  type Random,
  type RecordPage,
  type RecordQuery,
  type RejectedRecord,
  type Replica,
  type ReplicaId,
  type ReplicaStatus,
  type SchemaIssue,
  type SchemaOutput,
  type Sha256,
  type Shape,
  type Signal,
  type Signature,
  type StandardSchema,
  type StandardSchemaIssue,
  type StandardSchemaResult,
  type Storage,
  StorageConflictError,
  StorageCorruptError,
  type StorageDamage,
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
  type UndoResult,
  type Uplink,
  type UplinkReport,
  type UplinkStatus,
  UsageError,
  type WaitingDocument,
  type WriteRequest,
} from './core/index.ts'
export {
  consoleLogger,
  type LogLevel,
  streamCompression,
  systemClock,
  systemRandom,
} from './system.ts'
