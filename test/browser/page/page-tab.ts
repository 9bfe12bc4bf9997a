import {
  createReplica,
  type DocumentHandle,
  grants,
  type JsonMap,
  type Replica,
  type Uplink,
} from 'tideway'
import { indexedDbStorage, onlyOneTab, type TabClaim } from 'tideway/adapters/storage/indexeddb'
import { webSocket } from 'tideway/transports/websocket'
import { valueReached } from './value-reached.ts'

const NOTES = { read: ['notes'], write: ['notes'] }

/** How a tab opens its replica. */
export interface TabOptions {
  readonly database: string
  readonly shared: boolean
  /** Where Node listens: one tab of those that say it connects. Left out: none does. */
  readonly address?: string
}

/** A replica of one tab, as Node handles it. */
export interface Tab {
  readonly name: string
  readonly epoch: string
  readonly actor: string
  /** Sets one key of a document and resolves when that is on disk. */
  set(id: string, key: string, value: string | number): Promise<void>
  /** Sets `<prefix><n>` for n from 0 on, without waiting in between, and resolves when all is on disk. */
  setMany(id: string, prefix: string, count: number): Promise<void>
  /** Resolves when a document that is held open has the value that this JSON text says. */
  reached(id: string, json: string): Promise<void>
  value(id: string): Promise<JsonMap>
  /** Resolves when Node has all of a document on its disk. */
  durableAt(id: string, peer: string): Promise<void>
  /** Documents of which a peer refused events, as this tab was told. */
  rejected(): readonly string[]
  digest(): Promise<string>
  head(): number
  isConnected(): boolean
  close(): Promise<void>
}

/** Opens a replica on an IndexedDB database of this origin. */
export async function openTab(options: TabOptions): Promise<Tab> {
  const storage = await indexedDbStorage({ name: options.database, shared: options.shared })
  const replica = await createReplica({
    name: 'browser',
    storage,
    policy: grants({ node: NOTES }),
  })
  return new PageTab(replica, options.address)
}

class PageTab implements Tab {
  readonly #replica: Replica
  readonly #handles = new Map<string, Promise<DocumentHandle<JsonMap>>>()
  readonly #rejected: string[] = []
  readonly #claim: TabClaim | undefined
  #uplink: Uplink | undefined

  constructor(replica: Replica, address: string | undefined) {
    this.#replica = replica
    replica.onRejected((documents) => this.#rejected.push(...documents))
    if (address === undefined) return
    const connection = {
      transport: webSocket(),
      address,
      principal: 'node',
      collections: ['notes'],
    }
    this.#claim = onlyOneTab('uplink', () => {
      const uplink = replica.connect(connection)
      this.#uplink = uplink
      return () => uplink.close()
    })
  }

  get name(): string {
    return this.#replica.name
  }

  get epoch(): string {
    return this.#replica.epoch
  }

  get actor(): string {
    return this.#replica.actor
  }

  async set(id: string, key: string, value: string | number): Promise<void> {
    const handle = await this.#open(id)
    handle.change((draft) => ({ ...draft, [key]: value }))
    await handle.durable()
  }

  async setMany(id: string, prefix: string, count: number): Promise<void> {
    const handle = await this.#open(id)
    for (let n = 0; n < count; n++) {
      handle.change((draft) => ({ ...draft, [`${prefix}${n}`]: n }))
      // Some in one turn, some apart: both tabs come between each other.
      if (n % 5 === 0) await new Promise((resolve) => setTimeout(resolve))
    }
    await handle.durable()
  }

  async reached(id: string, json: string): Promise<void> {
    await valueReached(await this.#open(id), json)
  }

  async value(id: string): Promise<JsonMap> {
    return (await this.#open(id)).value
  }

  async durableAt(id: string, peer: string): Promise<void> {
    await (await this.#open(id)).durable(peer)
  }

  rejected(): readonly string[] {
    return this.#rejected
  }

  digest(): Promise<string> {
    return this.#replica.digest(['notes'])
  }

  head(): number {
    return this.#replica.head
  }

  isConnected(): boolean {
    return this.#uplink?.status.type === 'connected'
  }

  async close(): Promise<void> {
    await this.#claim?.close()
    await this.#replica.close()
  }

  #open(id: string): Promise<DocumentHandle<JsonMap>> {
    const known = this.#handles.get(id)
    if (known !== undefined) return known
    const opening = this.#replica.open(id, { collection: 'notes' })
    this.#handles.set(id, opening)
    return opening
  }
}
