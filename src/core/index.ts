// What the other rooms and the package root may use of the engine. No logic.

export {
  CLOUD,
  type CloudRules,
  cloudPolicy,
  edgePolicy,
  nodeCollection,
  nodeOf,
  nodePrincipal,
} from './access/fleet.ts'
export {
  DENIED,
  denyAll,
  type Grant,
  grants,
  type Policy,
  type Principal,
  type WriteRequest,
} from './access/policy.ts'
export type { Author, Signature } from './document/authorship.ts'
export type { ConflictingValue } from './document/conflicts.ts'
export type {
  DocumentChange,
  DocumentHandle,
  PatchedChange,
  UndoResult,
} from './document/handle.ts'
export type { HistoryEntry, HistoryOptions } from './document/history.ts'
export { type DocumentKind, PLAIN_KIND } from './document/kind.ts'
export type { EditOptions } from './document/open-document.ts'
export { applyPatches, type DocumentPatch } from './document/patches.ts'
export type { DocumentPath } from './document/path.ts'
export type {
  SchemaIssue,
  SchemaOutput,
  StandardSchema,
  StandardSchemaIssue,
  StandardSchemaResult,
} from './document/schema.ts'
export type { Shape } from './document/shape.ts'
export { equalValues, freeze, type JsonMap, type JsonValue } from './document/value.ts'
export {
  AccessError,
  assert,
  assertNever,
  BufferOverflowError,
  ConnectionClosedError,
  DialError,
  DocumentError,
  type ErrorCode,
  type ErrorFields,
  type ErrorOptions,
  InvariantError,
  isTidewayError,
  MessageTooLargeError,
  ProtocolError,
  StorageConflictError,
  StorageCorruptError,
  StorageForeignError,
  StorageLockedError,
  StorageUnavailableError,
  TidewayError,
  UsageError,
} from './errors.ts'
export type {
  ActorId,
  CollectionId,
  DocumentId,
  Epoch,
  EventHash,
  Heads,
  Position,
  ReplicaId,
} from './ids.ts'
export type { AbortOptions } from './interfaces/abort.ts'
export type { ByteStream } from './interfaces/byte-stream.ts'
export type { Cancel, Clock, Random } from './interfaces/clock.ts'
export type { Compression } from './interfaces/compression.ts'
export type { Sha256 } from './interfaces/hasher.ts'
export type { LoadAutomerge } from './interfaces/load-automerge.ts'
export type { LogFields, Logger } from './interfaces/logger.ts'
export type {
  Counter,
  Gauge,
  Histogram,
  HistogramOptions,
  Labels,
  MeasureOptions,
  Metrics,
} from './interfaces/metrics.ts'
export type {
  OutputPiece,
  ProcessSession,
  SessionEnd,
  SessionSpec,
  TerminalSize,
} from './interfaces/process-session.ts'
export type {
  Appended,
  Batch,
  KeyRange,
  NewRecord,
  Put,
  RecordPage,
  RecordQuery,
  Storage,
  StorageFeatures,
  StoredRecord,
} from './interfaces/storage.ts'
export type {
  CloseReason,
  Connection,
  Listener,
  Transport,
  TransportFeatures,
} from './interfaces/transport.ts'
export type { QuarantinedActor, QuarantineRecord } from './log/authors.ts'
export {
  type CheckStorageOptions,
  checkStorage,
  type StorageDamage,
} from './log/check-storage.ts'
export type { StoredEntry } from './log/entry.ts'
export type { DocumentRecord, LateRecord, RejectedRecord } from './log/records.ts'
export type { Denial } from './log/submission.ts'
export type { AdmissionOptions } from './replica/admission.ts'
export type { CompactionOptions } from './replica/compaction.ts'
export { incarnationId, openIncarnation } from './replica/incarnations.ts'
export { noMetrics } from './replica/no-metrics.ts'
export { openReplica } from './replica/open-replica.ts'
export type {
  ConnectedPeer,
  ConnectOptions,
  OpenOptions,
  ReplicaOptions,
  StreamAccepter,
} from './replica/options.ts'
export type { PeerStream } from './replica/peer-stream.ts'
export type { Projection, ProjectionRow } from './replica/projections.ts'
export type { DamagedDocument } from './replica/repairs.ts'
export type { Replica } from './replica/replica.ts'
export type { Signal } from './replica/signals.ts'
export type {
  AwayReport,
  PeerReport,
  ReplicaStatus,
  UplinkReport,
} from './replica/status.ts'
export type { WaitingDocument } from './replica/status-waiting.ts'
export type { Uplink, UplinkStatus } from './replica/uplink.ts'
export type { EntryKind } from './sync/io.ts'
