import {
  change,
  type Doc,
  emptyChange,
  free,
  getHeads,
  getLastLocalChange,
  hasHeads,
  init,
  loadIncremental,
  type Patch,
  view,
} from '@automerge/automerge/slim'

import { concatBytes } from '../bytes.ts'
import { assert } from '../errors.ts'
import type { ActorId, DocumentId, EventHash, Heads } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { readEvent } from '../log/event.ts'
import { eventExcess } from '../log/event-cost.ts'
import type { Beginning, CutState, Lineage, Rewriter, Rewritten } from '../log/generation.ts'
import {
  cutActor,
  firstPlaceOf,
  markedMessage,
  type Origin,
  originOf,
  rewriteActor,
} from '../log/generation-origin.ts'
import type { CheckedEvent } from '../log/submission.ts'
import { needAutomerge } from './automerge.ts'
import { loadEvents } from './load-events.ts'
import { applyPortable, copyNode, portableEdit } from './portable-edit.ts'

type State = Record<string, unknown>

/** A change is stored and sent in one piece: past this a document goes on with its history. */
const CUT_BYTES_MAX = 7 << 20

/** Cuts and rewrites Automerge documents. */
export function documentRewriter(sha256: Sha256): Rewriter {
  return {
    cut: (document, cuts, lineage) => {
      needAutomerge()
      try {
        return cut(document, cuts, lineage, sha256)
      } catch {
        // What Automerge cannot read, or not write as one change: it goes on with its history.
        return undefined
      }
    },
    rewrite: (lineage, uncovered, beginning) => {
      needAutomerge()
      return new Rewriting(lineage, uncovered, beginning, sha256).run()
    },
  }
}

function cut(
  document: DocumentId,
  cuts: number,
  { beginning, events }: Lineage,
  sha256: Sha256,
): CutState | undefined {
  const all = [...(beginning?.change === undefined ? [] : [beginning.change]), ...events]
  const { doc, damaged } = loadEvents<State>(
    all.map(({ bytes }) => bytes),
    cutActor(document, 0, sha256),
    sha256,
  )
  // Automerge may show a counter without its increments in a document that grew; a view never does.
  const state = view(doc, getHeads(doc))
  const bytes = stateAsChange(state, cutActor(document, cuts, sha256))
  const waiting = events.filter(
    ({ header }) => !damaged.has(header.hash) && !hasHeads(doc, [header.hash]),
  )
  free(doc)
  if (!isTaken(bytes)) return undefined
  return { change: { bytes, header: readEvent(bytes, sha256) }, waiting }
}

/** Whether every replica takes a change that was made here of what others wrote. */
function isTaken(bytes: Uint8Array): boolean {
  return bytes.length <= CUT_BYTES_MAX && eventExcess(bytes) === undefined
}

function stateAsChange(state: State, actor: ActorId): Uint8Array {
  const copy = copyNode(state) as State
  const empty = init<State>({ actor })
  const options = { time: 0, message: 'base' }
  const doc =
    Object.keys(copy).length === 0
      ? emptyChange(empty, options)
      : change(empty, options, (draft) => {
          for (const key of Object.keys(copy).sort()) draft[key] = copy[key]
        })
  const bytes = getLastLocalChange(doc)
  assert(bytes !== undefined, 'a change was just made')
  free(doc)
  return bytes
}

/** A document that grows along one line of events, and is loaded anew where another line begins. */
class Line {
  doc: Doc<State> | undefined
  actor: ActorId = ''
  heads: Heads = []

  isAt(heads: Heads, actor: ActorId): boolean {
    return this.doc !== undefined && this.actor === actor && equalHeads(this.heads, heads)
  }

  load(events: readonly Uint8Array[], heads: Heads, actor: ActorId): void {
    this.free()
    const empty = init<State>({ actor })
    this.doc = events.length === 0 ? empty : loadIncremental(empty, concatBytes(events))
    this.actor = actor
    this.heads = [...heads].sort()
  }

  get current(): Doc<State> {
    assert(this.doc !== undefined, 'a line is loaded before it is used')
    return this.doc
  }

  free(): void {
    if (this.doc !== undefined) free(this.doc)
    this.doc = undefined
  }
}

const READER: ActorId = 'ff'

/** Writes the uncovered events of one lineage again on a newer beginning. */
class Rewriting {
  readonly #lineage: Lineage
  readonly #uncovered: ReadonlySet<EventHash>
  readonly #beginning: Beginning
  readonly #sha256: Sha256
  readonly #old = new Map<EventHash, CheckedEvent>()
  readonly #images = new Map<EventHash, CheckedEvent>()
  readonly #made = new Map<EventHash, CheckedEvent>()
  readonly #reading = new Line()
  readonly #writing = new Line()

  constructor(
    lineage: Lineage,
    uncovered: ReadonlySet<EventHash>,
    beginning: Beginning,
    sha256: Sha256,
  ) {
    this.#lineage = lineage
    this.#uncovered = uncovered
    this.#beginning = beginning
    this.#sha256 = sha256
    const first = lineage.beginning?.change
    for (const event of first === undefined ? lineage.events : [first, ...lineage.events])
      this.#old.set(event.header.hash, event)
    if (beginning.change !== undefined)
      this.#made.set(beginning.change.header.hash, beginning.change)
  }

  run(): Rewritten {
    const { ordered, waiting } = this.#causalOrder()
    for (const event of ordered) {
      if (!event.header.parents.every((parent) => this.#isThere(parent))) {
        waiting.push(event)
        continue
      }
      try {
        const image = this.#rewrite(event)
        this.#images.set(event.header.hash, image)
        this.#made.set(image.header.hash, image)
      } catch {
        // An event that Automerge cannot take: it and what builds on it stay as they are.
        this.#reading.free()
        this.#writing.free()
        waiting.push(event)
      }
    }
    this.#reading.free()
    this.#writing.free()
    return { events: [...this.#images.values()], waiting }
  }

  #isThere(parent: EventHash): boolean {
    return this.#uncovered.has(parent) ? this.#images.has(parent) : this.#old.has(parent)
  }

  /** Parents first, and along one line as long as it goes, so that little is loaded anew. */
  #causalOrder(): { ordered: readonly CheckedEvent[]; waiting: CheckedEvent[] } {
    const left = new Map<EventHash, number>()
    const children = new Map<EventHash, CheckedEvent[]>()
    const ready: CheckedEvent[] = []
    for (const hash of [...this.#uncovered].sort().reverse()) {
      const event = this.#old.get(hash)
      if (event === undefined) continue
      const parents = event.header.parents.filter((parent) => this.#uncovered.has(parent))
      left.set(hash, parents.length)
      if (parents.length === 0) ready.push(event)
      for (const parent of parents) {
        const siblings = children.get(parent)
        if (siblings === undefined) children.set(parent, [event])
        else siblings.push(event)
      }
    }
    const ordered: CheckedEvent[] = []
    for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
      ordered.push(next)
      left.delete(next.header.hash)
      for (const child of children.get(next.header.hash) ?? []) {
        const count = (left.get(child.header.hash) ?? 1) - 1
        left.set(child.header.hash, count)
        if (count === 0) ready.push(child)
      }
    }
    const waiting = [...left.keys()].flatMap((hash) => this.#old.get(hash) ?? [])
    return { ordered, waiting }
  }

  #rewrite(event: CheckedEvent): CheckedEvent {
    const { header } = event
    const { generation } = this.#beginning
    const before = this.#lineage.beginning?.generation ?? 1
    const first = firstPlaceOf(header, before, this.#sha256)
    const known = originOf(header, before, this.#sha256)
    const edit = known?.edit ?? this.#editOf(event)
    const origin: Origin = { ...first, message: known?.message ?? header.message ?? '', edit }
    const actor = rewriteActor(origin.actor, origin.place, generation, this.#sha256)
    const images = header.parents.flatMap((parent) => this.#images.get(parent)?.header.hash ?? [])
    const root = this.#beginning.change?.header.hash
    const parents = images.length > 0 || root === undefined ? images : [root]
    const line = this.#writing
    if (!line.isAt(parents, actor)) {
      line.load(ancestors(parents, this.#made), parents, actor)
    }
    const options = { time: header.timeSeconds, message: markedMessage(origin) }
    const old = getHeads(line.current)
    let doc = change(line.current, options, (draft) => applyPortable(draft, edit))
    // What it did is so already: it is noted all the same, so that it is never done twice.
    if (equalHeads(getHeads(doc), old)) doc = emptyChange(doc, options)
    line.doc = doc
    const bytes = getLastLocalChange(doc)
    assert(bytes !== undefined, 'a change was just made')
    assert(isTaken(bytes), 'an edit is written again by a change that others take')
    const image: CheckedEvent = { bytes, header: readEvent(bytes, this.#sha256) }
    line.heads = [image.header.hash]
    return image
  }

  #editOf({ header, bytes }: CheckedEvent): Uint8Array {
    const line = this.#reading
    if (!line.isAt(header.parents, READER))
      line.load(ancestors(header.parents, this.#old), header.parents, READER)
    const before = line.current
    const heads = getHeads(before)
    const patches: Patch[] = []
    const after = loadIncremental(before, bytes, {
      patchCallback: (found) => patches.push(...found),
    })
    line.doc = after
    line.heads = [header.hash]
    assert(hasHeads(after, [header.hash]), 'an event is in the document that it was given to')
    return portableEdit(
      patches,
      () => view(after, heads),
      () => view(after, getHeads(after)),
    )
  }
}

/** The bytes of events and of all that they build on, parents first. */
function ancestors(
  heads: Heads,
  events: ReadonlyMap<EventHash, CheckedEvent>,
): readonly Uint8Array[] {
  const found = new Map<EventHash, Uint8Array>()
  const open = [...heads]
  for (let hash = open.pop(); hash !== undefined; hash = open.pop()) {
    const event = events.get(hash)
    if (found.has(hash) || event === undefined) continue
    found.set(hash, event.bytes)
    open.push(...event.header.parents)
  }
  return [...found.values()].reverse()
}

function equalHeads(a: Heads, b: Heads): boolean {
  if (a.length !== b.length) return false
  const sorted = [...b].sort()
  return [...a].sort().every((head, index) => head === sorted[index])
}
