import { freeze } from '../../../core/index.ts'
import type { Identity } from './identity.ts'
import type { KubeObject, ObjectMeta, ObjectRow } from './types.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Where the parts of an object are in its text, in bytes. */
interface Layout {
  readonly json: Uint8Array
  readonly metadataStart: number
  readonly metadataEnd: number
  /** Where in the metadata the last field begins, the owners of fields; its end where it has none. */
  readonly ownersStart: number
}

/**
 * Writes an object so that its parts are found again without reading it: what it is, its metadata with
 * the owners of fields at its end, and everything else.
 */
function layOut(object: KubeObject): Layout {
  const { apiVersion, kind, metadata, ...rest } = object
  const { managedFields, ...plain } = metadata
  const head = `${JSON.stringify({ apiVersion, kind }).slice(0, -1)},"metadata":`
  const open = JSON.stringify(plain).slice(0, -1)
  const comma = open === '{' ? '' : ','
  const owners =
    managedFields === undefined ? '' : `${comma}"managedFields":${JSON.stringify(managedFields)}`
  const others = JSON.stringify(rest)
  const text = `${head}${open}${owners}}${others === '{}' ? '}' : `,${others.slice(1)}`}`
  const json = encoder.encode(text)
  // Where every character is one byte, and that is nearly everywhere, nothing has to be counted.
  const isAscii = json.length === text.length
  const bytes = (part: string): number => (isAscii ? part.length : encoder.encode(part).length)
  const metadataStart = bytes(head)
  const ownersStart = metadataStart + bytes(open)
  const metadataEnd = ownersStart + bytes(owners) + 1
  return {
    json,
    metadataStart,
    metadataEnd,
    ownersStart: owners === '' ? metadataEnd : ownersStart,
  }
}

/** An object as it is shown: its text, outside the heap, which is read when somebody looks. */
export class Shown implements ObjectRow {
  readonly identity: Identity
  readonly json: Uint8Array
  readonly metadataStart: number
  readonly metadataEnd: number
  readonly #ownersStart: number
  readonly #trees: TreeCache

  /** @param keep whether somebody is likely to look at it soon. */
  constructor(identity: Identity, object: KubeObject, trees: TreeCache, keep: boolean) {
    const { json, metadataStart, metadataEnd, ownersStart } = layOut(object)
    this.identity = identity
    this.json = json
    this.metadataStart = metadataStart
    this.metadataEnd = metadataEnd
    this.#ownersStart = ownersStart
    this.#trees = trees
    if (keep) trees.put(this, freeze(object))
  }

  get name(): string {
    return this.identity.name
  }

  get namespace(): string | undefined {
    return this.identity.namespace
  }

  get object(): KubeObject {
    const known = this.#trees.get(this)
    if (known !== undefined) return known
    const object = freeze(JSON.parse(decoder.decode(this.json)) as KubeObject)
    this.#trees.put(this, object)
    return object
  }

  get lean(): KubeObject {
    const known = this.#trees.get(this)
    if (known !== undefined) return known
    return this.#parse(this.json.length, this.#ownersStart === this.metadataEnd ? '' : '}')
  }

  get head(): KubeObject {
    const known = this.#trees.get(this)
    if (known !== undefined) return known
    return this.#parse(this.metadataEnd, this.#ownersStart === this.metadataEnd ? '}' : '}}')
  }

  /** The object at another version, as one that is gone is told of. */
  at(resourceVersion: number): KubeObject {
    const { object } = this
    const metadata = { ...object.metadata, resourceVersion: String(resourceVersion) }
    return { ...object, metadata }
  }

  /** What is before the owners of fields, and what is behind the metadata, up to `end`. */
  #parse(end: number, close: string): KubeObject {
    const before = decoder.decode(this.json.subarray(0, this.#ownersStart))
    const behind = decoder.decode(this.json.subarray(this.metadataEnd, end))
    return JSON.parse(`${before}${close}${behind}`) as KubeObject
  }
}

/** How many bytes of text the trees stand for that are kept, twice at most. A tree is several times as large. */
const TREE_BYTES_MAX = 512 * 1024

/**
 * The trees of the objects that were looked at last. Two generations: when the young one is full, the
 * old one is dropped and the young one becomes the old one; what is looked at meanwhile moves up.
 */
export class TreeCache {
  #young = new Map<Shown, KubeObject>()
  #old = new Map<Shown, KubeObject>()
  #youngBytes = 0

  get(shown: Shown): KubeObject | undefined {
    const young = this.#young.get(shown)
    if (young !== undefined) return young
    const old = this.#old.get(shown)
    if (old !== undefined) this.put(shown, old)
    return old
  }

  put(shown: Shown, tree: KubeObject): void {
    if (this.#youngBytes + shown.json.length > TREE_BYTES_MAX) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngBytes = 0
    }
    this.#young.set(shown, tree)
    this.#youngBytes += shown.json.length
  }

  /** Forgets what is shown no more. */
  drop(shown: Shown): void {
    if (this.#young.delete(shown)) this.#youngBytes -= shown.json.length
    this.#old.delete(shown)
  }
}

/** An object that is in no store as a row of a list or an event. */
export function rowOf(object: KubeObject): ObjectRow {
  let layout: Layout | undefined
  const laid = (): Layout => {
    layout ??= layOut(object)
    return layout
  }
  const { name, namespace }: ObjectMeta = object.metadata
  return {
    name,
    namespace,
    object,
    lean: object,
    head: object,
    get json() {
      return laid().json
    },
    get metadataStart() {
      return laid().metadataStart
    },
    get metadataEnd() {
      return laid().metadataEnd
    },
  }
}
