import type { ActorId, DocumentId, ReplicaId } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { cutsOf } from '../log/generation.ts'
import { cutActor, originOf } from '../log/generation-origin.ts'
import type { ChangeFacts } from './automerge-state.ts'
import { GENESIS_ACTOR } from './kind.ts'

/** Names the replica of an actor, where it can. */
export type ReplicaOf = (actor: ActorId) => ReplicaId | undefined

/** Who wrote something, as far as it is known here. */
export interface Author {
  readonly actor: ActorId
  /** The replica behind the actor: known of this one and of those that it has been connected to. */
  readonly replica: ReplicaId | undefined
}

/** What an edit says of itself. */
export interface Signature extends Author {
  /** When its author says that it was made, in milliseconds since the Unix epoch. */
  readonly timeMs: number | undefined
  /** What its author says that it was made for. */
  readonly message: string | undefined
}

/** Whose a document is the changes of which are told apart. */
interface Cut {
  readonly id: DocumentId
  readonly generation: number
}

/** Tells the edits of one document from what the engine itself made, and who made them. */
export class Authorship {
  readonly #document: Cut
  readonly #sha256: Sha256
  /** Who cut the history, and how often it was cut then. */
  #cut: { readonly cuts: number; readonly actor: ActorId } | undefined

  constructor(document: Cut, sha256: Sha256) {
    this.#document = document
    this.#sha256 = sha256
  }

  /** Whether a change is somebody's edit: not the first of a kind, or of a generation. */
  isEdit({ actor }: ChangeFacts): boolean {
    if (actor === GENESIS_ACTOR) return false
    const { id, generation } = this.#document
    const cuts = cutsOf(generation)
    if (cuts === 0) return true
    if (this.#cut?.cuts !== cuts) this.#cut = { cuts, actor: cutActor(id, cuts, this.#sha256) }
    return actor !== this.#cut.actor
  }

  /** Who made a change, also when it was written again after the history was cut. */
  signature(facts: ChangeFacts, replicaOf: ReplicaOf): Signature {
    const { hash, deps, actor, seq, time } = facts
    const message = facts.message ?? undefined
    const header = { hash, parents: deps, actor, sequence: seq, timeSeconds: time, message }
    const origin = originOf(header, this.#document.generation, this.#sha256)
    const author = origin?.actor ?? actor
    return {
      actor: author,
      replica: replicaOf(author),
      timeMs: time === 0 ? undefined : time * 1000,
      message: origin === undefined ? message : origin.message || undefined,
    }
  }
}
