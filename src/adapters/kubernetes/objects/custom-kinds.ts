import { customResource, definitionText } from './custom-resources.ts'
import { METADATA_LISTS, METADATA_MAPS } from './resources.ts'
import type { KubeObject, Resource } from './types.ts'

/** What became of the custom kinds when their definitions changed. */
export interface KindChange {
  /** Kinds that are not there any more. */
  readonly gone: readonly Resource[]
  /** Kinds that are new, or whose definition is another than before. */
  readonly come: readonly Resource[]
}

/** How many custom kinds one store serves; definitions past that are not. */
const KINDS_MAX = 2_000

interface Known {
  readonly text: string
  readonly resource: Resource
}

/** The kinds that definitions define, beside those that are built in. */
export class CustomKinds {
  readonly #builtin: readonly Resource[]
  readonly #byId: Map<string, Resource>
  readonly #known = new Map<string, Known>()
  readonly #listeners = new Set<() => void>()
  #all: readonly Resource[]

  constructor(builtin: readonly Resource[]) {
    this.#builtin = builtin
    this.#all = builtin
    this.#byId = new Map(builtin.map((resource) => [resource.id, resource]))
  }

  /** Every kind there is, built-in ones first. */
  get all(): readonly Resource[] {
    return this.#all
  }

  /** Every kind by its id. It changes with the definitions. */
  get byId(): ReadonlyMap<string, Resource> {
    return this.#byId
  }

  /** Calls back after the kinds changed. Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes over what the definitions say now. */
  follow(definitions: readonly KubeObject[]): KindChange {
    const gone: Resource[] = []
    const come: Resource[] = []
    const wanted = new Map<string, KubeObject>()
    for (const definition of definitions.slice(0, KINDS_MAX)) {
      const { name } = definition.metadata
      const isBuiltin = this.#byId.has(name) && !this.#known.has(name)
      if (!isBuiltin) wanted.set(name, definition)
    }
    for (const [id, { resource }] of this.#known) {
      if (wanted.has(id)) continue
      gone.push(resource)
      this.#forget(id)
    }
    for (const [id, definition] of wanted) {
      const known = this.#known.get(id)
      const text = definitionText(definition)
      if (known?.text === text) continue
      const resource = customResource(definition, { lists: METADATA_LISTS, maps: METADATA_MAPS })
      if (resource !== undefined) {
        come.push(resource)
        this.#known.set(id, { text, resource })
        this.#byId.set(id, resource)
      } else if (known !== undefined) {
        gone.push(known.resource)
        this.#forget(id)
      }
    }
    const custom = [...this.#known.values()].map(({ resource }) => resource)
    if (gone.length > 0 || come.length > 0) this.#all = [...this.#builtin, ...custom]
    return { gone, come }
  }

  /** Tells that the kinds, and the objects that are shown of them, changed. */
  announce(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  #forget(id: string): void {
    this.#known.delete(id)
    this.#byId.delete(id)
  }
}
