import { assert } from '../errors.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { readEvent } from '../log/event.ts'
import type { CheckedEvent } from '../log/submission.ts'
import { GENESIS_ACTOR } from './genesis-actor.ts'
import { fieldShape, LIST_MARK, SET_MARK, type Shape } from './shape.ts'
import { StraightDocument } from './straight-document.ts'

export { GENESIS_ACTOR }

/** A kind of document: how its parts merge, and what it begins with. */
export interface DocumentKind {
  /** Names the kind and its version for ever, such as `pod/v1`: part of the first event's hash. */
  readonly name: string
  readonly shape: Shape
  /**
   * Maps and lists that exist from the first event on, by dotted path, parents included: what two replicas
   * put into them while apart is merged. Empty ones are not shown.
   */
  readonly skeleton: readonly string[]
}

/** A document without a kind: maps merge, everything else is one value. */
export const PLAIN_KIND: DocumentKind = { name: 'plain', shape: { type: 'map' }, skeleton: [] }

/**
 * The first event of every document of a kind: the same bytes on every replica, so two replicas that
 * create the same document while apart end with one merged document. Undefined without a skeleton.
 */
export function genesisEvent(kind: DocumentKind, sha256: Sha256): CheckedEvent | undefined {
  if (kind.skeleton.length === 0) return undefined
  const event = made.get(kind) ?? makeGenesis(kind, sha256)
  made.set(kind, event)
  return event
}

/** What the first event of a kind says that it is. */
export function genesisMessage(kind: DocumentKind): string {
  return `genesis/${kind.name}`
}

/** Always the same for a kind, and made for each new document of it. */
const made = new WeakMap<DocumentKind, CheckedEvent>()

function makeGenesis(kind: DocumentKind, sha256: Sha256): CheckedEvent {
  const about = { timeSeconds: 0, message: genesisMessage(kind) }
  const made = new StraightDocument(sha256).edit(GENESIS_ACTOR, about, (draft) => {
    for (const path of kind.skeleton) place(draft, path.split('.'), kind.shape)
  })
  assert(made?.bytes !== undefined, 'a skeleton makes a change')
  const { bytes } = made
  return { bytes, header: readEvent(bytes, sha256) }
}

function place(
  draft: Record<string, unknown>,
  path: readonly string[],
  shape: Shape | undefined,
): void {
  const [key, ...rest] = path
  if (key === undefined) return
  const inner = fieldShape(shape, key)
  if (draft[key] === undefined) draft[key] = emptyOf(inner)
  place(draft[key] as Record<string, unknown>, rest, inner)
}

function emptyOf(shape: Shape | undefined): Record<string, unknown> {
  if (shape?.type === 'list') return { [LIST_MARK]: {} }
  if (shape?.type === 'set') return { [SET_MARK]: {} }
  return {}
}
