import type {
  DocumentId,
  JsonMap,
  Position,
  Replica,
  Sha256,
  StoredEntry,
} from '../../../core/index.ts'
import type { CustomKinds } from './custom-kinds.ts'
import { DEFINITIONS } from './custom-resources.ts'
import { homeOf } from './homes.ts'
import { documentId, type Identity, nameOf, parseDocumentId, uidOf } from './identity.ts'
import { documentKind } from './kinds.ts'
import { assemble, sameContent, shownParts } from './parts.ts'
import type { Shown } from './rows.ts'
import {
  digestsOf,
  objectOf,
  SHOWN_ROWS,
  ShownRows,
  type SourceDigests,
  type Sources,
  sameSources,
} from './shown-rows.ts'
import type { KubeObject, ObjectKey, Resource } from './types.ts'
import type { ObjectView } from './view.ts'

export interface ProjectorOptions {
  readonly replica: Replica
  readonly kinds: CustomKinds
  readonly view: ObjectView
  readonly fleet: string
  readonly sha256: Sha256
  readonly onError: (error: unknown) => void
}

/** An object and what it was made of, where that is known. */
interface Reading {
  readonly object: KubeObject
  readonly sources: SourceDigests | undefined
}

/**
 * Keeps a view as the log says: looks at each object that an append touched, once, in order, after it is
 * durable.
 */
export class Projector {
  readonly #options: ProjectorOptions
  /** Objects that {@link start} found away from home: a crash came between an edit and its move. */
  readonly misplaced: Identity[] = []
  /** The highest incarnation of each name that was ever seen, deleted ones included. */
  readonly #incarnations = new Map<string, number>()
  readonly #waiters = new Set<{ readonly position: Position; readonly resolve: () => void }>()
  readonly #cancels: (() => void)[] = []
  readonly #rows: ShownRows
  /** What the objects that are shown were made of, where that is known. */
  readonly #sourcesOf = new WeakMap<Shown, SourceDigests>()
  #work: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: ProjectorOptions) {
    this.#options = options
    this.#rows = new ShownRows(options.replica.projection(SHOWN_ROWS))
  }

  /** Shows everything that the log holds, then follows it. */
  async start(): Promise<void> {
    const { replica, view } = this.#options
    const begin = replica.head
    const seen: { entries: readonly StoredEntry[]; head: Position }[] = []
    let ready = false
    this.#cancels.push(
      replica.onAppended((entries, head) => {
        if (ready) this.#enqueue(entries, head)
        else seen.push({ entries, head })
      }),
      replica.onRejected((documents) => this.#enqueueAgain(documents)),
    )
    await this.#defineFirst()
    await this.#rows.start()
    for await (const { id, record } of replica.documents()) {
      const parsed = parseDocumentId(id)
      if (parsed === undefined || !this.#serves(parsed.identity)) continue
      this.#note(parsed.identity)
      if (parsed.part !== 'desired' || record.deleted || record.left) continue
      const kept = await this.#kept(id, parsed.identity)
      const read = kept ?? (await this.#read(parsed.identity))
      const object = read?.object
      if (object === undefined) continue
      view.seed(parsed.identity, object)
      this.#made(parsed.identity, read?.sources)
      if (kept === undefined) this.#keep(parsed.identity, read?.sources)
      if (record.collection !== homeOf(parsed.identity.resource, object)) {
        this.misplaced.push(parsed.identity)
      }
    }
    await this.#rows.finish()
    view.seeded(begin)
    ready = true
    for (const { entries, head } of seen) this.#enqueue(entries, head)
    await this.#work
  }

  /** The highest incarnation of a name; 0 when it was never used. */
  incarnation(name: string): number {
    return this.#incarnations.get(name) ?? 0
  }

  /**
   * The incarnation that a new object of this name gets: the highest one while its desired document is not
   * here yet, so that it becomes one object with it when it comes; else one more.
   */
  async nextIncarnation(key: ObjectKey): Promise<number> {
    const highest = this.incarnation(nameOf(key))
    if (highest === 0) return 1
    const id = documentId({ ...key, incarnation: highest }, 'desired')
    return (await this.#options.replica.record(id)) === undefined ? highest : highest + 1
  }

  /** Resolves when everything up to `position` is shown, or the projector is closed. */
  shown(position: Position): Promise<void> {
    if (this.#closed) return Promise.resolve()
    if (this.#options.view.settled >= position) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.add({ position, resolve }))
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const cancel of this.#cancels) cancel()
    await this.#work
    for (const { resolve } of this.#waiters) resolve()
  }

  #enqueue(entries: readonly StoredEntry[], head: Position): void {
    this.#work = this.#work.then(() => this.#project(entries, head))
  }

  #enqueueAgain(documents: readonly DocumentId[]): void {
    const identities = documents
      .map((id) => parseDocumentId(id)?.identity)
      .filter((identity) => identity !== undefined)
    this.#work = this.#work.then(async () => {
      const position = this.#options.view.resourceVersion
      for (const identity of identities) await this.#look(identity, position, true)
    })
  }

  async #project(entries: readonly StoredEntry[], head: Position): Promise<void> {
    // An object that several entries touched is shown once, at the newest of them.
    const touched = new Map<string, { identity: Identity; position: Position }>()
    for (const entry of entries) {
      const identity = parseDocumentId(entry.document)?.identity
      if (identity === undefined || !this.#serves(identity)) continue
      this.#note(identity)
      const key = `${nameOf(identity)}/${identity.incarnation}`
      touched.delete(key)
      touched.set(key, { identity, position: entry.position })
    }
    for (const { identity, position } of touched.values())
      await this.#look(identity, position, false)
    const isDefined = [...touched.values()].some(
      ({ identity }) => identity.resource === DEFINITIONS,
    )
    if (isDefined) await this.#define(head)
    this.#options.view.advance(head)
    for (const waiter of [...this.#waiters]) {
      if (waiter.position > head) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }

  /** At the start: the kinds have to be known before the objects are looked through. */
  async #defineFirst(): Promise<void> {
    const definitions: KubeObject[] = []
    for await (const { id, record } of this.#options.replica.documents(`${DEFINITIONS}/`)) {
      const parsed = parseDocumentId(id)
      if (parsed?.part !== 'desired' || record.deleted || record.left) continue
      if (!this.#serves(parsed.identity)) continue
      const definition = await this.#read(parsed.identity)
      if (definition !== undefined) definitions.push(definition.object)
    }
    this.#options.kinds.follow(definitions)
  }

  /** Shows what is here of kinds that are new, and hides what is of kinds that are gone. */
  async #define(head: Position): Promise<void> {
    const { kinds, view, replica } = this.#options
    const { gone, come } = kinds.follow(view.list(DEFINITIONS, undefined).items)
    for (const { id } of gone) this.#hideAll(id, head)
    for (const resource of come) {
      for await (const { id, record } of replica.documents(`${resource.id}/`)) {
        const parsed = parseDocumentId(id)
        if (parsed === undefined || !this.#serves(parsed.identity)) continue
        this.#note(parsed.identity)
        if (parsed.part !== 'desired' || record.deleted || record.left) continue
        await this.#look(parsed.identity, head, false, record.last)
      }
    }
    if (gone.length > 0 || come.length > 0) kinds.announce()
  }

  #hideAll(resource: string, head: Position): void {
    const { view } = this.#options
    for (const shown of view.shownOf(resource)) {
      view.hide(shown, head)
      this.#rows.drop(documentId(shown.identity, 'desired'))
    }
  }

  /** @param own the position of the object itself, where it is not that of what is looked at. */
  async #look(
    identity: Identity,
    position: Position,
    again: boolean,
    own: Position = position,
  ): Promise<void> {
    const { view, onError } = this.#options
    try {
      const shown = view.get(identity)
      if (shown !== undefined && shown.identity.incarnation > identity.incarnation) return
      const isSame = shown?.identity.incarnation === identity.incarnation
      const read = await this.#read(identity, own, isSame && !again ? shown : undefined)
      if (read !== undefined) {
        if (!isSame || again || !sameContent(shown.object, read.object))
          view.show(identity, read.object, position)
        this.#made(identity, read.sources)
        this.#keep(identity, read.sources)
      } else if (isSame) {
        view.hide(shown, position)
        this.#rows.drop(documentId(identity, 'desired'))
      }
    } catch (error) {
      onError(error)
    }
  }

  /** The object as it was shown before the last stop, if its documents are still the same. */
  async #kept(id: DocumentId, identity: Identity): Promise<Reading | undefined> {
    const row = await this.#rows.take(id)
    const sources = row === undefined ? undefined : await this.#sources(identity)
    if (row === undefined || sources === undefined) return undefined
    const object = objectOf(row, sources)
    return object === undefined ? undefined : { object, sources: digestsOf(sources) }
  }

  /** What an object is made of; undefined when it is not (or no longer) there. */
  async #sources(identity: Identity): Promise<Sources | undefined> {
    const { replica, kinds } = this.#options
    const desired = await replica.record(documentId(identity, 'desired'))
    if (desired === undefined || desired.deleted || desired.left) return undefined
    const hasStatus = kinds.byId.get(identity.resource)?.status === true
    const observed = hasStatus ? await replica.record(documentId(identity, 'observed')) : undefined
    const isThere = observed !== undefined && !observed.left && !observed.deleted
    return { desired, observed: isThere ? observed : undefined }
  }

  /** Notes what is shown was made of. */
  #made(identity: Identity, sources: SourceDigests | undefined): void {
    const shown = this.#options.view.get(identity)
    if (shown?.identity.incarnation !== identity.incarnation) return
    if (sources === undefined) this.#sourcesOf.delete(shown)
    else this.#sourcesOf.set(shown, sources)
  }

  /** Keeps what is shown for the next start, where it is known what it was made of. */
  #keep(identity: Identity, sources: SourceDigests | undefined): void {
    const shown = this.#options.view.get(identity)
    if (sources === undefined || shown?.identity.incarnation !== identity.incarnation) return
    this.#rows.keep(documentId(identity, 'desired'), sources, shown)
  }

  /**
   * The object as its documents say now, or undefined when it is not (or no longer) there; and what it is
   * made of, unless that has changed meanwhile.
   *
   * @param shown the same object as it is shown: a part that is the same still need not be read.
   */
  async #read(
    identity: Identity,
    position?: Position,
    shown?: Shown,
  ): Promise<Reading | undefined> {
    const { kinds, fleet, sha256 } = this.#options
    const resource = kinds.byId.get(identity.resource)
    const sources = await this.#sources(identity)
    if (resource === undefined || sources === undefined) return undefined
    const before = shown === undefined ? undefined : this.#sourcesOf.get(shown)
    const known = before === undefined ? undefined : shown?.object
    const parts = known === undefined ? undefined : shownParts(resource, known)
    const now = digestsOf(sources)
    const isSameDesired = before?.desired === now.desired
    const isSameObserved = before?.observed === now.observed
    let observed = isSameObserved ? parts?.observed : undefined
    if (sources.observed === undefined) observed = undefined
    else observed ??= await this.#observed(identity, resource)
    // Without owners of a status the others stand in an order that only their document tells.
    const isOrdered =
      parts?.observed['managedFields'] === undefined || observed?.['managedFields'] !== undefined
    const kept = isSameDesired && isOrdered ? parts?.desired : undefined
    const desired = kept ?? (await this.#desired(identity, resource))
    // What is not durable may yet be taken back: it is not shown.
    if (desired['metadata'] === undefined) return undefined
    const object = assemble(resource, desired, observed, {
      key: identity,
      uid: uidOf(identity, fleet, sha256),
      resourceVersion: position ?? Math.max(sources.desired.last, sources.observed?.last ?? 0),
    })
    // What changed while it was read is looked at again; until then it is not known what this shows.
    const after = await this.#sources(identity)
    const isSame = after !== undefined && sameSources(sources, after)
    return { object, sources: isSame ? now : undefined }
  }

  async #desired(identity: Identity, resource: Resource): Promise<JsonMap> {
    const kind = documentKind(resource, 'desired')
    await using desired = await this.#options.replica.open(documentId(identity, 'desired'), {
      kind,
    })
    return desired.durableValue
  }

  async #observed(identity: Identity, resource: Resource): Promise<JsonMap> {
    const kind = documentKind(resource, 'observed')
    await using observed = await this.#options.replica.open(documentId(identity, 'observed'), {
      kind,
    })
    return observed.durableValue
  }

  /** Whether it is of a kind that is known, with a namespace just when the kind has one. */
  #serves({ resource, namespace }: Identity): boolean {
    return this.#options.kinds.byId.get(resource)?.namespaced === (namespace !== undefined)
  }

  #note(identity: Identity): void {
    const name = nameOf(identity)
    if (identity.incarnation > this.incarnation(name))
      this.#incarnations.set(name, identity.incarnation)
  }
}
