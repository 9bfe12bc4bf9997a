/** Kubernetes objects as documents: what is known of each kind, and a store of them on a replica. */
export { DEFINITIONS } from './custom-resources.ts'
export {
  CLUSTER_COLLECTION,
  homeOf,
  namespaceCollection,
  parseSecretCollection,
  secretCollection,
  UNSCHEDULED_COLLECTION,
} from './homes.ts'
export { documentId, type Identity, nameOf, type Part, parseDocumentId, uidOf } from './identity.ts'
export { documentKind, documentKinds } from './kinds.ts'
export { createObjectStore, type ObjectStoreOptions, type OpenObjectStore } from './object-store.ts'
export { apiVersionOf } from './parts.ts'
export type {
  AttachRequest,
  ExecRequest,
  PodStreams,
  PodTarget,
  PortForwardRequest,
} from './pod-streams.ts'
export { mapAt, mapsAt } from './read.ts'
export { builtinResources } from './resources.ts'
export {
  type Column,
  type CreateOptions,
  type DeleteOptions,
  type FieldCause,
  type Json,
  type JsonObject,
  type KubeObject,
  type ListMerge,
  type LogRequest,
  ObjectError,
  type ObjectErrorReason,
  type ObjectEvent,
  type ObjectFate,
  type ObjectKey,
  type ObjectList,
  type ObjectMeta,
  type ObjectRow,
  type ObjectStore,
  type PodLogs,
  type Propagation,
  type Resource,
  type ResourcePart,
  type UpdateOptions,
  type WatchOptions,
} from './types.ts'
export type { ContainerUsageReport, PodUsageReport, Usage, UsageReport } from './usage.ts'
