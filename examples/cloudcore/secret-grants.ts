import { type KubeObject, ObjectError, type ObjectStore } from 'tideway/adapters/kubernetes/objects'

const NAMESPACE = 'kube-system'
const PREFIX = 'node-secrets-'
const TYPE = 'tideway.dev/node-secrets'

const ACCOUNT = 'account'

/** What stands for a service account among the collections that are given to nodes. */
export function accountGrant(namespace: string, name: string): string {
  return `${ACCOUNT}/${namespace}/${name}`
}

/** Whether what was given is a service account, and no secret. */
export function isAccountGrant(collection: string): boolean {
  return collection.startsWith(`${ACCOUNT}/`)
}

/** `default.name` for a secret; no name begins with a dot, so `account..default.name` is no secret. */
function keyOf(collection: string): string {
  const [kind, namespace, name] = collection.split('/')
  return kind === ACCOUNT ? `${ACCOUNT}..${namespace}.${name}` : `${namespace}.${name}`
}

function collectionOf(key: string): string {
  const [first = '', second = '', ...rest] = key.split('.')
  if (first !== ACCOUNT || second !== '') return `secret/${first}/${[second, ...rest].join('.')}`
  const [namespace = '', ...name] = rest
  return accountGrant(namespace, name.join('.'))
}

/**
 * Which secrets the cloud has given to which nodes, and for which objects: written down as one secret a
 * node, so that it is known after a restart.
 */
export class SecretGrants {
  readonly #store: ObjectStore
  readonly #onError: (error: unknown) => void
  /** By node and collection, the names of the objects that it was given for. */
  readonly #given = new Map<string, Map<string, Set<string>>>()
  #saving: Promise<void> = Promise.resolve()

  constructor(store: ObjectStore, onError: (error: unknown) => void) {
    this.#store = store
    this.#onError = onError
    for (const object of store.list('secrets', NAMESPACE).items) this.#load(object)
  }

  has(node: string, collection: string, user?: string): boolean {
    const users = this.#given.get(node)?.get(collection)
    return users !== undefined && (user === undefined || users.has(user))
  }

  /** Every grant, to be checked against what there is. */
  all(): readonly { readonly node: string; readonly collection: string; readonly user: string }[] {
    return [...this.#given].flatMap(([node, collections]) =>
      [...collections].flatMap(([collection, users]) =>
        [...users].map((user) => ({ node, collection, user })),
      ),
    )
  }

  /** Gives a secret to a node because of one object. It counts at once and is written down soon. */
  add(node: string, collection: string, user: string): void {
    const collections = this.#given.get(node) ?? new Map<string, Set<string>>()
    this.#given.set(node, collections)
    const users = collections.get(collection) ?? new Set<string>()
    collections.set(collection, users)
    users.add(user)
    this.#save(node)
  }

  /** One object no longer needs the secret on that node. */
  remove(node: string, collection: string, user: string): void {
    const collections = this.#given.get(node)
    const users = collections?.get(collection)
    if (users?.delete(user) !== true) return
    if (users.size === 0) collections?.delete(collection)
    this.#save(node)
  }

  /** Resolves when everything is written down. */
  saved(): Promise<void> {
    return this.#saving
  }

  #load(object: KubeObject): void {
    const { name } = object.metadata
    if (object['type'] !== TYPE || !name.startsWith(PREFIX)) return
    const collections = new Map<string, Set<string>>()
    for (const [key, value] of Object.entries((object['data'] ?? {}) as Record<string, string>)) {
      const users = Buffer.from(value, 'base64').toString('utf8').split('\n')
      collections.set(collectionOf(key), new Set(users))
    }
    this.#given.set(name.slice(PREFIX.length), collections)
  }

  #save(node: string): void {
    this.#saving = this.#saving.then(() => this.#write(node)).catch(this.#onError)
  }

  async #write(node: string): Promise<void> {
    const entries = [...(this.#given.get(node) ?? [])].map(([collection, users]) => {
      return [keyOf(collection), Buffer.from([...users].join('\n')).toString('base64')]
    })
    const data = Object.fromEntries(entries) as Record<string, string>
    const metadata = { name: `${PREFIX}${node}`, namespace: NAMESPACE }
    const key = { resource: 'secrets', ...metadata }
    try {
      await this.#store.update(key, (current) => ({ ...current, data }), {
        part: 'desired',
        author: 'cloudcore',
      })
    } catch (error) {
      if (!(error instanceof ObjectError) || error.reason !== 'NotFound') throw error
      const object = { apiVersion: 'v1', kind: 'Secret', metadata, type: TYPE, data }
      await this.#store.create(object, { author: 'cloudcore' })
    }
  }
}
