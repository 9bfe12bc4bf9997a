import type { Logger, Replica } from 'tideway'
import type { AccountName } from 'tideway/adapters/kubernetes/identity'
import {
  type KubeObject,
  nameOf,
  type ObjectEvent,
  type ObjectStore,
  parseDocumentId,
} from 'tideway/adapters/kubernetes/objects'
import { accountNameOf, nodeNameOf, SECRET_USERS, secretsOf } from '../shared/fleet-rules.ts'
import { accountGrant, isAccountGrant, SecretGrants } from './secret-grants.ts'

const PAGE_BYTES = 1 << 20

/**
 * Which nodes may read which secrets: those that a pod bound to the node refers to, or a replica set
 * whose pods are bound to it, and only when the reference was written at the cloud. A node could
 * otherwise get any secret by making a pod that names it.
 *
 * It follows the store, so a check costs a few look-ups however many pods there are.
 */
export class SecretAccess {
  readonly #replica: Replica
  readonly #store: ObjectStore
  readonly #logger: Logger
  readonly #grants: SecretGrants
  /** Objects that a node has written to since they were last shown. */
  readonly #touched = new Set<string>()
  readonly #cancels: (() => void)[] = []

  private constructor(replica: Replica, store: ObjectStore, logger: Logger) {
    this.#replica = replica
    this.#store = store
    this.#logger = logger
    this.#grants = new SecretGrants(store, (error) =>
      logger.error('the secrets of a node could not be written down', { error }),
    )
  }

  /** Reads what was given before, and follows the store from here on. */
  static async open(replica: Replica, store: ObjectStore, logger: Logger): Promise<SecretAccess> {
    const access = new SecretAccess(replica, store, logger)
    await access.#start()
    return access
  }

  /** Whether a node may read the collection of a secret. */
  allows(node: string, collection: string): boolean {
    return this.#grants.has(node, collection)
  }

  /**
   * Whether a node may sign tokens of a service account: the cloud gave it a pod that runs as that
   * account. A node could otherwise be anybody, by making a pod that says so.
   */
  maySpeakFor(node: string, { namespace, name }: AccountName): boolean {
    return this.#grants.has(node, accountGrant(namespace, name))
  }

  async close(): Promise<void> {
    for (const cancel of this.#cancels) cancel()
    await this.#grants.saved()
  }

  async #start(): Promise<void> {
    this.#cancels.push(
      this.#replica.onAppended((entries) => {
        for (const { document, from } of entries) {
          const parsed = from === undefined ? undefined : parseDocumentId(document)
          if (parsed?.part !== 'desired' || !SECRET_USERS.includes(parsed.identity.resource))
            continue
          this.#touched.add(nameOf(parsed.identity))
        }
      }),
    )
    const known = new Set<string>()
    for (const resource of SECRET_USERS) {
      const { items, resourceVersion } = this.#store.list(resource)
      const listen = (event: ObjectEvent): void => this.#handle(resource, event)
      this.#cancels.push(this.#store.watch(resource, { since: resourceVersion }, listen))
      for (const object of items) {
        for (const use of usesOf(resource, object)) {
          known.add(textOf(use))
          if (this.#grants.has(use.node, use.collection, use.user)) continue
          if (await this.#isOurs(use.user)) this.#grants.add(use.node, use.collection, use.user)
        }
      }
    }
    for (const use of this.#grants.all()) {
      if (!known.has(textOf(use))) this.#grants.remove(use.node, use.collection, use.user)
    }
  }

  #handle(resource: string, { type, object, previous }: ObjectEvent): void {
    const before = type === 'DELETED' ? object : previous
    const old = before === undefined ? [] : usesOf(resource, before)
    const now = type === 'DELETED' ? [] : usesOf(resource, object)
    const isOurs = !this.#touched.delete(userOf(resource, object))
    for (const use of old) {
      if (!includes(now, use)) this.#grants.remove(use.node, use.collection, use.user)
    }
    for (const use of now) {
      if (includes(old, use)) continue
      if (isOurs) this.#grants.add(use.node, use.collection, use.user)
      else if (!isAccountGrant(use.collection) && !this.#grants.has(use.node, use.collection)) {
        this.#logger.warn('a node asked for a secret that was not given to it', { ...use })
      }
    }
  }

  /** Whether everything in an object was written at the cloud: then a crash kept us from noting it. */
  async #isOurs(user: string): Promise<boolean> {
    for await (const { id, record } of this.#replica.documents(`${user}/`)) {
      if (record.deleted || parseDocumentId(id)?.part !== 'desired') continue
      let after = 0
      for (let end = false; !end; ) {
        const page = await this.#replica.readLog({ after, document: id, bytesMax: PAGE_BYTES })
        // A base does not say who wrote what is in it.
        if (page.entries.some(({ from, kind }) => from !== undefined || kind === 'base'))
          return false
        end = page.end
        after = page.upTo
      }
    }
    return true
  }
}

/** One object needs one secret on one node. */
interface Use {
  readonly node: string
  readonly collection: string
  readonly user: string
}

function usesOf(resource: string, object: KubeObject): readonly Use[] {
  const node = nodeNameOf(resource, object)
  if (node === undefined) return []
  const user = userOf(resource, object)
  const { namespace = 'default' } = object.metadata
  const account = accountGrant(namespace, accountNameOf(resource, object))
  return [...secretsOf(resource, object), account].map((collection) => ({
    node,
    collection,
    user,
  }))
}

function userOf(resource: string, { metadata }: KubeObject): string {
  return nameOf({ resource, namespace: metadata.namespace, name: metadata.name })
}

function textOf({ node, collection, user }: Use): string {
  return `${node}\n${collection}\n${user}`
}

function includes(uses: readonly Use[], wanted: Use): boolean {
  return uses.some((use) => textOf(use) === textOf(wanted))
}
