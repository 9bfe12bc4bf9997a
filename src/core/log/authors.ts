import { toHex } from '../bytes.ts'
import { InvariantError } from '../errors.ts'
import type { ActorId, DocumentId, Epoch, EventHash, ReplicaId } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Put, Storage } from '../interfaces/storage.ts'
import { AUTHOR_PREFIX, authorKey, QUARANTINE_PREFIX, quarantineKey } from './keys.ts'
import { decodeRecord, encodeRecord } from './records.ts'

/** Epochs of one replica that are remembered: one that makes up more forgets its own. */
export const EPOCHS_MAX: number = 8

/** Actors of one epoch that are known by name: one more each time that events in a document were refused. */
const FORKS_MAX = 4

/** Our own actors of one epoch that are known by name: beyond, an edit is taken for one that we pass on. */
const OWN_FORKS_MAX = 4_096

/** Under which logs a replica has written, as far as it told us itself. */
export interface AuthorRecord {
  /** Who was the first to be connected as this replica: only its word counts. */
  readonly principal: string
  /** The newest last. */
  readonly epochs: readonly Epoch[]
}

/** Why a writer is not believed any more. */
export interface QuarantineRecord {
  readonly replica: ReplicaId
  readonly document: DocumentId
  readonly sequence: number
  /** The event that is here, and the one that came for the same place. */
  readonly kept: EventHash
  readonly refused: EventHash
  readonly atMs: number
}

/** A writer whose events are refused. */
export interface QuarantinedActor extends QuarantineRecord {
  readonly actor: ActorId
}

/** Whose log it is. */
interface Owner {
  readonly replica: ReplicaId
  readonly epoch: Epoch
}

/** Whose log it is, and under which epochs it was written before. */
interface Self extends Owner {
  readonly former?: readonly Epoch[] | undefined
}

/**
 * The actor under which a replica writes.
 *
 * @param fork how often events of it were refused in the document.
 * @param opener which of several openers of a shared storage it is; 0 for the only one.
 */
export function actorOf(owner: Owner, fork: number, opener: number, sha256: Sha256): ActorId {
  const place = opener === 0 ? `${fork}` : `${fork}\n${opener}`
  const seed = new TextEncoder().encode(`${owner.replica}\n${owner.epoch}\n${place}`)
  return toHex(sha256(seed).subarray(0, 8))
}

/**
 * Who writes under which actor, and who is not believed.
 *
 * An actor is a hash of a replica and its epoch, and both are told at the handshake, by a principal that
 * the policy lets be this replica. So what a peer may claim are actors of its own, and nothing else.
 */
export class Authors {
  readonly #sha256: Sha256
  readonly #self: ReplicaId
  readonly #records = new Map<ReplicaId, AuthorRecord>()
  readonly #owners = new Map<ActorId, ReplicaId>()
  readonly #quarantined = new Map<ActorId, QuarantineRecord>()
  /** Epochs that this replica writes, or has written, under. */
  readonly #ownEpochs: Epoch[] = []
  /** How many actors of each of those are known by name. */
  #ownForks = FORKS_MAX

  constructor({ replica, epoch, former = [] }: Self, sha256: Sha256) {
    this.#self = replica
    this.#sha256 = sha256
    for (const known of [...former, epoch]) this.renew({ replica, epoch: known })
  }

  /** Reads what is remembered. */
  static async load(storage: Storage, identity: Self, sha256: Sha256): Promise<Authors> {
    const authors = new Authors(identity, sha256)
    for await (const { key, value } of storage.scan(AUTHOR_PREFIX)) {
      const record = decodeRecord<AuthorRecord>(value, 'epochs')
      authors.#adopt(key.slice(AUTHOR_PREFIX.length), record)
    }
    for await (const { key, value } of storage.scan(QUARANTINE_PREFIX)) {
      const record = decodeRecord<QuarantineRecord>(value, 'replica')
      authors.#quarantined.set(key.slice(QUARANTINE_PREFIX.length), record)
    }
    return authors
  }

  /** From here on this replica writes under another epoch. What it wrote before stays its own. */
  renew(owner: Owner): void {
    this.#ownEpochs.push(owner.epoch)
    this.#bind(owner, 0, this.#ownForks)
  }

  /** Events of ours in a document were refused this often: what we write there is ours all the same. */
  noteFork(fork: number): void {
    const forks = Math.min(fork + 1, OWN_FORKS_MAX)
    if (forks <= this.#ownForks) return
    for (const epoch of this.#ownEpochs)
      this.#bind({ replica: this.#self, epoch }, this.#ownForks, forks)
    this.#ownForks = forks
  }

  /** Whose actor this is; undefined when nobody told us. */
  of(actor: ActorId): ReplicaId | undefined {
    return this.#owners.get(actor)
  }

  /** Whether this principal is the one whose word counts for a replica. */
  speaksFor(principal: string, replica: ReplicaId): boolean {
    return this.#records.get(replica)?.principal === principal
  }

  /** What to write down when `principal` was let in as `replica`; undefined when nothing is new. */
  meet(replica: ReplicaId, epoch: Epoch, principal: string): readonly Put[] | undefined {
    if (replica === this.#self) return undefined
    const known = this.#records.get(replica)
    if (known !== undefined && (known.principal !== principal || known.epochs.includes(epoch)))
      return undefined
    const epochs = [...(known?.epochs ?? []), epoch].slice(-EPOCHS_MAX)
    const record: AuthorRecord = { principal, epochs }
    this.#adopt(replica, record)
    return [{ key: authorKey(replica), value: encodeRecord(record) }]
  }

  isQuarantined(actor: ActorId): boolean {
    return this.#quarantined.has(actor)
  }

  get quarantined(): readonly QuarantinedActor[] {
    return [...this.#quarantined].map(([actor, record]) => ({ actor, ...record }))
  }

  /** Refuses a writer from here on. @returns what to write down. */
  quarantine(actor: ActorId, record: QuarantineRecord): readonly Put[] {
    if (this.#owners.get(actor) !== record.replica)
      throw new InvariantError('only an actor whose replica is known can be quarantined')
    this.#quarantined.set(actor, record)
    return [{ key: quarantineKey(actor), value: encodeRecord(record) }]
  }

  /** Takes a writer's events again. @returns what to write down; undefined when it was not refused. */
  pardon(actor: ActorId): readonly Put[] | undefined {
    if (!this.#quarantined.delete(actor)) return undefined
    return [{ key: quarantineKey(actor), value: undefined }]
  }

  #adopt(replica: ReplicaId, record: AuthorRecord): void {
    const before = this.#records.get(replica)
    for (const epoch of before?.epochs ?? []) {
      if (!record.epochs.includes(epoch)) this.#release({ replica, epoch })
    }
    this.#records.set(replica, record)
    for (const epoch of record.epochs) this.#bind({ replica, epoch })
  }

  /** Of openers of a shared storage, only the first is told at the handshake. */
  #bind(owner: Owner, from: number = 0, to: number = FORKS_MAX): void {
    for (let fork = from; fork < to; fork += 1)
      this.#owners.set(actorOf(owner, fork, 0, this.#sha256), owner.replica)
  }

  #release(owner: Owner): void {
    for (let fork = 0; fork < FORKS_MAX; fork += 1)
      this.#owners.delete(actorOf(owner, fork, 0, this.#sha256))
  }
}
