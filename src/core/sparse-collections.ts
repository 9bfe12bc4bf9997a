/**
 * A map that is nearly always empty, and takes no memory for entries while it is.
 *
 * The engine's own maps take 240 bytes before anything is in them, and a connected peer has many that
 * it never uses. Entries keep their order, as in a Map.
 */
export class SparseMap<Key, Value> {
  #map: Map<Key, Value> | undefined

  get size(): number {
    return this.#map?.size ?? 0
  }

  get(key: Key): Value | undefined {
    return this.#map?.get(key)
  }

  has(key: Key): boolean {
    return this.#map?.has(key) === true
  }

  set(key: Key, value: Value): void {
    this.#map ??= new Map()
    this.#map.set(key, value)
  }

  /** Whether there was one. */
  delete(key: Key): boolean {
    return this.#map?.delete(key) === true
  }

  clear(): void {
    this.#map = undefined
  }

  keys(): Iterable<Key> {
    return this.#map?.keys() ?? []
  }

  values(): Iterable<Value> {
    return this.#map?.values() ?? []
  }

  [Symbol.iterator](): Iterator<readonly [Key, Value]> {
    const entries: Iterable<readonly [Key, Value]> = this.#map ?? []
    return entries[Symbol.iterator]()
  }
}

/** A set that is nearly always empty: see {@link SparseMap}. */
export class SparseSet<Item> {
  #set: Set<Item> | undefined

  get size(): number {
    return this.#set?.size ?? 0
  }

  has(item: Item): boolean {
    return this.#set?.has(item) === true
  }

  add(item: Item): void {
    this.#set ??= new Set()
    this.#set.add(item)
  }

  /** Whether it was there. */
  delete(item: Item): boolean {
    return this.#set?.delete(item) === true
  }

  clear(): void {
    this.#set = undefined
  }

  [Symbol.iterator](): Iterator<Item> {
    const items: Iterable<Item> = this.#set ?? []
    return items[Symbol.iterator]()
  }
}
