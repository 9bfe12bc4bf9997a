import type { Shown } from './rows.ts'

/** The objects of one kind by name, and their names in the order of lists. */
export class KindRows {
  readonly #resource: string
  readonly #rows = new Map<string, Shown>()
  /** Sorted: `resource/namespace/name`. */
  readonly #names: string[] = []
  /** What was listed last, until something changes: many who begin to watch at once share it. */
  #last: { readonly namespace: string | undefined; readonly rows: readonly Shown[] } | undefined

  constructor(resource: string) {
    this.#resource = resource
  }

  get(name: string): Shown | undefined {
    return this.#rows.get(name)
  }

  set(name: string, shown: Shown): void {
    if (!this.#rows.has(name)) this.#names.splice(this.#firstFrom(name), 0, name)
    this.#rows.set(name, shown)
    this.#last = undefined
  }

  delete(name: string): void {
    if (!this.#rows.delete(name)) return
    this.#names.splice(this.#firstFrom(name), 1)
    this.#last = undefined
  }

  /** Ordered by namespace, then name. */
  list(namespace: string | undefined): readonly Shown[] {
    if (this.#last?.namespace !== namespace || this.#last === undefined)
      this.#last = { namespace, rows: this.#listed(namespace) }
    return this.#last.rows
  }

  #listed(namespace: string | undefined): readonly Shown[] {
    const prefix = `${this.#resource}/${namespace}/`
    const listed: Shown[] = []
    const start = namespace === undefined ? 0 : this.#firstFrom(prefix)
    for (let index = start; index < this.#names.length; index++) {
      const name = this.#names[index] ?? ''
      if (namespace !== undefined && !name.startsWith(prefix)) break
      const shown = this.#rows.get(name)
      if (shown !== undefined) listed.push(shown)
    }
    return listed
  }

  /** The index of the first name that is this one or behind it. */
  #firstFrom(name: string): number {
    let [low, high] = [0, this.#names.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#names[middle] ?? '') < name) low = middle + 1
      else high = middle
    }
    return low
  }
}
