import {
  type ConnectOptions,
  createReplica,
  type DocumentHandle,
  grants,
  type JsonMap,
  type Replica,
  type Uplink,
  type UplinkStatus,
} from 'tideway'
import { memoryStorage } from 'tideway/adapters/storage/memory'
import { webSocket } from 'tideway/transports/websocket'
import { valueReached } from './value-reached.ts'

/** Whom the page may write to and read from: Node, in one collection. */
const NOTES = { read: ['notes'], write: ['notes'] }

/** A replica of the page, as Node handles it. */
export interface PageReplica {
  /** Sets one key of a document and resolves when that is stored. */
  set(id: string, key: string, value: string | number): Promise<void>
  /** Resolves when a document has the value that this JSON text says. */
  reached(id: string, json: string): Promise<void>
  /** Resolves when Node has all of a document on its storage. */
  durableAt(id: string, peer: string): Promise<void>
  /** Resolves when the connection has this status. */
  hasStatus(type: UplinkStatus['type']): Promise<void>
  /** Every status so far, by its type. */
  statuses(): readonly UplinkStatus['type'][]
  digest(): Promise<string>
  close(): Promise<void>
}

/** Opens a replica named `page` on a storage in memory and connects it. */
export async function openPageReplica(address: string): Promise<PageReplica> {
  const replica = await createReplica({
    name: 'page',
    storage: memoryStorage(),
    policy: grants({ node: NOTES }),
  })
  const options: ConnectOptions = {
    transport: webSocket(),
    address,
    principal: 'node',
    collections: ['notes'],
  }
  return new ConnectedReplica(replica, replica.connect(options))
}

class ConnectedReplica implements PageReplica {
  readonly #replica: Replica
  readonly #uplink: Uplink
  readonly #statuses: UplinkStatus['type'][] = []
  readonly #handles = new Map<string, Promise<DocumentHandle<JsonMap>>>()

  constructor(replica: Replica, uplink: Uplink) {
    this.#replica = replica
    this.#uplink = uplink
    uplink.onStatus(({ type }) => this.#statuses.push(type))
  }

  async set(id: string, key: string, value: string | number): Promise<void> {
    const handle = await this.#open(id)
    handle.change((draft) => ({ ...draft, [key]: value }))
    await handle.durable()
  }

  async reached(id: string, json: string): Promise<void> {
    await valueReached(await this.#open(id), json)
  }

  async durableAt(id: string, peer: string): Promise<void> {
    await (await this.#open(id)).durable(peer)
  }

  async hasStatus(type: UplinkStatus['type']): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#uplink.onStatus((status) => {
        if (status.type === type) resolve()
      })
    })
  }

  statuses(): readonly UplinkStatus['type'][] {
    return this.#statuses
  }

  digest(): Promise<string> {
    return this.#replica.digest(['notes'])
  }

  close(): Promise<void> {
    return this.#replica.close()
  }

  #open(id: string): Promise<DocumentHandle<JsonMap>> {
    const known = this.#handles.get(id)
    if (known !== undefined) return known
    const opening = this.#replica.open(id, { collection: 'notes' })
    this.#handles.set(id, opening)
    return opening
  }
}
