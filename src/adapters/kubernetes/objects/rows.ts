import { freeze } from '../../../core/index.ts'
import type { Identity } from './identity.ts'
import { ObjectText } from './object-text.ts'
import type { SharedTexts } from './shared-texts.ts'
import { TwoGenerations } from './two-generations.ts'
import type { KubeObject, ObjectMeta, ObjectRow } from './types.ts'

/** What the rows of a store have together. */
export interface RowCaches {
  readonly trees: TreeCache
  readonly texts: SharedTexts
}

/** An object as it is shown: its text, outside the heap, which is read when somebody looks. */
export class Shown implements ObjectRow {
  readonly identity: Identity
  readonly #text: ObjectText
  readonly #trees: TreeCache

  /** @param keep whether somebody is likely to look at it soon. */
  constructor(identity: Identity, object: KubeObject, { trees, texts }: RowCaches, keep: boolean) {
    this.identity = identity
    this.#text = new ObjectText(object, texts)
    this.#trees = trees
    if (keep) trees.put(this, freeze(object))
  }

  get name(): string {
    return this.identity.name
  }

  get namespace(): string | undefined {
    return this.identity.namespace
  }

  get size(): number {
    return this.#text.size
  }

  get parts(): readonly Uint8Array[] {
    return this.#text.parts
  }

  get metadataParts(): readonly Uint8Array[] {
    return this.#text.metadataParts
  }

  get object(): KubeObject {
    const known = this.#trees.get(this)
    if (known !== undefined) return known
    const object = freeze(this.#text.object())
    this.#trees.put(this, object)
    return object
  }

  get lean(): KubeObject {
    return this.#trees.get(this) ?? this.#text.lean()
  }

  get head(): KubeObject {
    return this.#trees.get(this) ?? this.#text.head()
  }

  /** The object at another version, as one that is gone is told of. */
  at(resourceVersion: number): KubeObject {
    const { object } = this
    const metadata = { ...object.metadata, resourceVersion: String(resourceVersion) }
    return { ...object, metadata }
  }
}

/** How many bytes of text the trees stand for that are kept, twice at most. A tree is several times as large. */
const TREE_BYTES_MAX = 512 * 1024

/** The trees of the objects that were looked at last. */
export type TreeCache = TwoGenerations<Shown, KubeObject>

/** An empty cache of trees. */
export function treeCache(): TreeCache {
  return new TwoGenerations(TREE_BYTES_MAX, ({ size }) => size)
}

/** An object that is in no store as a row of a list or an event. */
export function rowOf(object: KubeObject): ObjectRow {
  let written: ObjectText | undefined
  const text = (): ObjectText => {
    written ??= new ObjectText(object)
    return written
  }
  const { name, namespace }: ObjectMeta = object.metadata
  return {
    name,
    namespace,
    object,
    lean: object,
    head: object,
    get size() {
      return text().size
    },
    get parts() {
      return text().parts
    },
    get metadataParts() {
      return text().metadataParts
    },
  }
}
