import type { Policy, Principal } from '../access/policy.ts'
import type { DocumentKind } from '../document/kind.ts'
import type { StandardSchema } from '../document/schema.ts'
import type { CollectionId, ReplicaId } from '../ids.ts'
import type { Clock, Random } from '../interfaces/clock.ts'
import type { Compression } from '../interfaces/compression.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { LoadAutomerge } from '../interfaces/load-automerge.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { Storage } from '../interfaces/storage.ts'
import type { Transport } from '../interfaces/transport.ts'
import type { AdmissionOptions } from './admission.ts'
import type { Compaction, CompactionParts } from './compaction.ts'
import type { PeerStream } from './peer-stream.ts'
import type { Measuring } from './unmeasured.ts'

/** What a replica is made of. Parts that few replicas have are given from outside, so that others need not load them. */
export interface ReplicaOptions {
  /** Belongs to the replica from here on: it is closed with it. */
  readonly storage: Storage
  /**
   * The name of this replica, unique in its fleet and the same at every start. Default: the one that the
   * storage was first used with, or a random one.
   */
  readonly name?: ReplicaId | undefined
  /** What peers may read and write. Default: nothing. */
  readonly policy?: Policy | undefined
  /** The kinds of documents that begin with a skeleton. A plain document needs none. */
  readonly kinds?: readonly DocumentKind[] | undefined
  /** Cuts the history of documents. Default: nothing does, but {@link Replica.compact}. */
  readonly compaction?: ((parts: CompactionParts) => Compaction) | undefined
  /** How many bytes of documents that nobody holds stay loaded. Default 40 MiB, by estimate. */
  readonly cacheBytesMax?: number | undefined
  /** WASM memory to set aside at the start, for a cache of more than 40 MiB. Default none. */
  readonly heapReserveBytes?: number | undefined
  /**
   * Loads Automerge's WebAssembly, which takes 20 MB of memory, the first time that a document needs it: most
   * that one writer writes at a time never do. Default: it is loaded before the replica opens.
   */
  readonly loadAutomerge?: LoadAutomerge | undefined
  readonly clock: Clock
  readonly random: Random
  readonly sha256: Sha256
  /** Makes messages shorter for peers that have the same one. Default: none. */
  readonly compression?: Compression | undefined
  readonly logger: Logger
  /** Default: nobody measures. */
  readonly measuring?: Measuring | undefined
  /** How many connections are taken. */
  readonly admission?: AdmissionOptions | undefined
}

/** How a document is opened. */
export interface OpenOptions {
  /** The home of the document if it is new here. Default `default`. */
  readonly collection?: CollectionId | undefined
  readonly kind?: DocumentKind | undefined
  /**
   * Refuses local edits that it does not let through, and tells of values from peers that it does not. It
   * must answer at once, not with a promise.
   */
  readonly schema?: StandardSchema | undefined
}

/** How to keep one peer connected. */
export interface ConnectOptions {
  readonly transport: Transport
  /** What the transport dials, such as `wss://cloud.example:10000`. */
  readonly address: string
  /** Which collections to share with the peer. */
  readonly collections: readonly CollectionId[]
  /** Who the transport makes sure that the peer is: the policy is asked about this name. Default `cloud`. */
  readonly principal?: Principal | undefined
  /** The name of the replica that is expected there, to go on where the last process stopped. Default: the principal. */
  readonly peer?: ReplicaId | undefined
  readonly dialTimeoutMs?: number | undefined
}

/** A peer that is connected now. */
export interface ConnectedPeer {
  readonly replica: ReplicaId
  readonly principal: Principal
  readonly collections: readonly CollectionId[]
}

/** Handles one stream that a peer opened. What it throws resets the stream. */
export type StreamAccepter = (
  stream: PeerStream,
  head: Uint8Array,
  principal: Principal,
) => Promise<void>
