/**
 * Every number of the protocol, with its reason.
 *
 * The constants are part of the protocol: both sides must agree on them. {@link SessionLimits} is one
 * side's own choice, told to the peer where it needs to know.
 */

/** What a dialer may send of its log before the accepter has said anything: one round trip's worth. */
export const INITIAL_CREDIT_BYTES: number = 64 * 1024

/** What either side may send on a fresh stream: a screen of logs, or a few round trips of exec. */
export const STREAM_CREDIT_BYTES: number = 256 * 1024

/** One frame. Small enough that a control frame never waits long behind it. */
export const FRAME_BYTES_MAX: number = 256 * 1024

/** One transport message. Every transport must carry this much. */
export const MESSAGE_BYTES_MAX: number = 1024 * 1024

/** One log entry: a config map of the largest size that Kubernetes allows, with room for its history. */
export const ENTRY_BYTES_MAX: number = 8 * 1024 * 1024

/** Messages below this are sent as they are: compression would save a few bytes at the price of many. */
export const PACK_BYTES_MIN: number = 256

/** Compressions that one side names: there are few in the world. */
export const PACKINGS_MAX: number = 8

/** CBOR items in one message. 1 MiB of tiny items would otherwise cost 50 times its size in memory. */
export const ITEMS_MAX: number = 65_536

/** CBOR nesting. The deepest frame that we define has four levels; later ones may have some more. */
export const DEPTH_MAX: number = 8

/** UTF-8 bytes of the names that frames carry, as in the definitions of the ids. */
export const REPLICA_BYTES_MAX: number = 128
export const COLLECTION_BYTES_MAX: number = 256
export const DOCUMENT_BYTES_MAX: number = 512

/** Short texts: error codes, stream protocols, signal keys. */
export const CODE_BYTES_MAX: number = 64
export const NAME_BYTES_MAX: number = 256

/** Explanations for people. Longer ones are cut by the sender. */
export const TEXT_BYTES_MAX: number = 1024

/** A bearer token or a signed certificate chain in HELLO. */
export const TOKEN_BYTES_MAX: number = 8 * 1024

/** The first bytes that go with STREAM_OPEN, such as a request line and its headers. */
export const STREAM_HEAD_BYTES_MAX: number = 16 * 1024

/** Collections in one HELLO, SUBSCRIBE or GRANT. */
export const COLLECTIONS_MAX: number = 1024

/** Versions in one HELLO: we never keep that many alive. */
export const VERSIONS_MAX: number = 16

/** One signal's value: a node's heartbeat with its conditions. */
export const SIGNAL_BYTES_MAX: number = 32 * 1024

/** One piece of a stream: the grain of fairness between streams. */
export const STREAM_PIECE_BYTES: number = 16 * 1024

/** A frame of entries is closed when it reaches this size, so that a peer can begin to append. */
export const EVENTS_FRAME_BYTES: number = 64 * 1024

/** Entries in one frame; with {@link MESSAGE_ENTRIES_TARGET} it keeps a message under {@link ITEMS_MAX}. */
export const EVENTS_ENTRIES_MAX: number = 2048

/** No further frame of entries is added to a message that has this many. */
export const MESSAGE_ENTRIES_TARGET: number = 4096

/** We do not read our log for a peer that would take less than this: the page would only wait. */
export const READ_CREDIT_MIN: number = 4096

/** Entries past this size travel in parts, so that every frame stays under {@link FRAME_BYTES_MAX}. */
export const PART_BYTES: number = 128 * 1024

/** We close a message at this size, so that what becomes urgent meanwhile goes into the next one. */
export const MESSAGE_BYTES_TARGET: number = 256 * 1024

/** Frame types from here on are ignored when unknown; unknown ones below it are refused. */
export const IGNORABLE_TYPES_FROM: number = 64

/** SUBSCRIBE frames of one peer that wait for a decision: one that waits for none is not asking. */
export const SUBSCRIBES_MAX: number = 8

/** Collections that one session may come to share: more would be memory for names alone. */
export const SHARED_MAX: number = 4096

/** PART frames of one entry: an entry of the largest size in parts of the usual size, with room to spare. */
export const PARTS_MAX: number = 256

/** CHECK frames of one peer at once, some more with each change of terms, and one more in so much time. */
export const CHECKS_AT_ONCE_MAX: number = 8
export const CHECK_EVERY_MS: number = 5_000

/** Frames are put together for one append up to this: peers take turns at the log by appends. */
export const APPEND_BYTES_TARGET: number = 256 * 1024

/** Entries past which no frame is added to an append. */
export const APPEND_ENTRIES_TARGET: number = 1024

/** Rejects in one frame: with the longest texts it stays under {@link FRAME_BYTES_MAX}. */
export const REJECTS_FRAME_MAX: number = 100

/** Checks of one peer that our driver compares at once. Each costs a look at the digests. */
export const VERIFIES_MAX: number = 4

/** How often a difference may be looked for in one session because digests differed, before we give up. */
export const RECONCILIATIONS_MAX: number = 4

/** Questions of one side that are not answered in full. Each may hold a frame's bytes at the other. */
export const QUESTIONS_OPEN_MAX: number = 3

/** Ranges in one question. */
export const RANGES_ASKED_MAX: number = 32

/** A range with more documents than this is answered with its parts. */
export const RANGE_DOCUMENTS_TARGET: number = 16

/** Parts that a range is split into: at least so many, and at most twice as many. */
export const RANGE_PARTS_TARGET: number = 16

/** Documents, and parts, in one answer. Larger than the targets: each side chooses its own. */
export const RANGE_DOCUMENTS_MAX: number = 128
export const RANGE_PARTS_MAX: number = 128

/** Documents in one question about entries. */
export const ENTRIES_ASKED_MAX: number = 256

/** Names of entries of one document in one frame. A document with more is sent as a whole. */
export const ENTRY_NAMES_MAX: number = 4096

/** A frame of a reconciliation is closed when it reaches this size. */
export const RECONCILE_FRAME_BYTES: number = 16 * 1024

/** Below this many entries a log is sent as a whole: cheaper than to look for what differs. */
export const RECONCILE_ENTRIES_MIN: number = 64

/** Questions in one reconciliation. Past it the answers lead nowhere: it stands for 50 million documents. */
export const QUESTIONS_MAX: number = 100_000

/**
 * How often a range is split on the way to one document. Each split makes two parts at least, usually 16: so
 * many tell 2^32 documents from each other in the worst of honest trees. The parts of one depth share no
 * document, so that an asker looks at none of its own more often.
 */
export const RANGE_DEPTH_MAX: number = 32

/**
 * Splits in one reconciliation, beside {@link RANGE_DEPTH_MAX} for each difference that was found: those under
 * way before the first one is found, and those that find that both sides came to agree meanwhile.
 */
export const RANGE_SPLITS_MAX: number = 16_384

/** Ranges that wait to be asked about. Depth first, an honest answerer never makes it that many. */
export const RANGES_WAITING_MAX: number = 16_384

/**
 * What answers may cost at once, and how much more each second, in documents and entries looked at. A
 * peer that asks for more waits: some seconds of our time at first, then about a tenth of it.
 */
export const ANSWER_COST_BURST: number = 2_000_000
export const ANSWER_COST_PER_SECOND: number = 25_000

/** A diverged pair is left alone this long: repeating a full exchange at once would not help. */
export const DIVERGED_RETRY_MS: number = 60_000

/** One side's own choices. */
export interface SessionLimits {
  /** How long HELLO and its answer may take. */
  readonly handshakeMs: number
  /** A peer that is silent this long is gone. */
  readonly idleMs: number
  /** A silent peer is asked for a sign of life after this long: three tries within `idleMs`. */
  readonly keepAliveMs: number
  /** How long an accepter holds its answer back to send it whole. */
  readonly answerHoldMs: number
  /** When an append takes longer than this, the peer is told that its entries are here, not yet durable. */
  readonly receivedAckMs: number
  /** How much of its log a peer may have under way to us: also the memory that it can claim. */
  readonly windowBytes: number
  /** One page of our log. */
  readonly pageBytes: number
  /** Appends handed to the driver and not answered: one being synced, one being gathered. */
  readonly appendsMax: number
  /** Keys of signals that one peer may hold here. */
  readonly signalKeysMax: number
  /** Bytes of keys and values that a peer's signals may hold here. */
  readonly signalsBytesMax: number
  /** Streams open at once that the peer opened. */
  readonly streamsMax: number
  /** Bytes that a stream's writer may have queued before it is told to wait. */
  readonly streamQueueBytes: number
  /** Control frames that wait for a slow transport. Past it the peer makes us talk without listening. */
  readonly controlBytesMax: number
}

export const DEFAULT_LIMITS: SessionLimits = {
  handshakeMs: 10_000,
  idleMs: 45_000,
  keepAliveMs: 15_000,
  answerHoldMs: 1_000,
  receivedAckMs: 50,
  windowBytes: 1024 * 1024,
  pageBytes: 256 * 1024,
  appendsMax: 2,
  signalKeysMax: 1024,
  signalsBytesMax: 1024 * 1024,
  streamsMax: 256,
  streamQueueBytes: 256 * 1024,
  controlBytesMax: 256 * 1024,
}

/** How often a document may be said to have been given another home. */
export const MOVES_MAX: number = 2 ** 32
