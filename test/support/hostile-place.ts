import { memoryStorage } from '../../src/adapters/storage/memory/index.ts'
import { DENIED, grants, type Policy } from '../../src/core/access/policy.ts'
import type { Connection } from '../../src/core/interfaces/transport.ts'
import { consoleLogger, createReplica, type Replica } from '../../src/index.ts'
import { nodeSha256 } from '../../src/node/index.ts'
import { MemoryHub } from '../../src/transports/memory/index.ts'
import { eventually } from './fleet.ts'

/** What only `honest` may see. Looked for in everything that others hear. */
export const SECRET = 'nobody-else-may-read-this'

export const ALL: readonly string[] = ['open', 'shared', 'private']

/** A replica that serves, a peer that behaves, and room for one that does not: `mallory`. */
export class HostilePlace {
  readonly hub: MemoryHub
  readonly cloud: Replica
  readonly honest: Replica
  #rounds = 0

  private constructor(hub: MemoryHub, cloud: Replica, honest: Replica) {
    this.hub = hub
    this.cloud = cloud
    this.honest = honest
  }

  /** `mallory` reads `open` and `shared`, and writes `open`; `honest` may do everything. */
  static async open(
    wrap: (connection: Connection) => Connection = (it) => it,
  ): Promise<HostilePlace> {
    const hub = new MemoryHub()
    const cloud = await openReplica('cloud')
    const honest = await openReplica('honest')
    void acceptAll(hub, cloud, wrap)
    const place = new HostilePlace(hub, cloud, honest)
    const transport = hub.transport({ principal: 'honest' })
    honest.connect({ transport, address: 'memory:cloud', collections: ALL })
    const secret = await cloud.open<{ text?: string }>('private/1', { collection: 'private' })
    secret.change(() => ({ text: SECRET }))
    await secret.durable()
    const note = await cloud.open<{ text?: string }>('shared/1', { collection: 'shared' })
    note.change(() => ({ text: 'for all to read' }))
    await note.durable()
    await place.converge()
    return place
  }

  /** Both write into every collection, and end with the same events. */
  async converge(): Promise<void> {
    this.#rounds += 1
    for (const replica of [this.cloud, this.honest]) {
      for (const collection of ALL) {
        const id = `${collection}/${replica.name}`
        const handle = await replica.open<{ round?: number }>(id, { collection })
        handle.change((draft) => {
          draft.round = this.#rounds
        })
        await handle.durable()
        await handle.close()
      }
    }
    for (let deadline = performance.now() + 10_000; ; ) {
      const [ours, theirs] = await Promise.all([this.cloud.digest(ALL), this.honest.digest(ALL)])
      if (ours === theirs) return
      if (performance.now() > deadline) throw new Error('the honest peer does not converge')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  async value(replica: Replica, id: string): Promise<unknown> {
    const handle = await replica.open(id)
    const { value } = handle
    await handle.close()
    return value
  }

  /** Waits until `mallory` and all its names are gone. */
  async alone(): Promise<void> {
    await eventually(() => this.cloud.peers().every(({ principal }) => principal === 'honest'))
  }

  async close(): Promise<void> {
    await this.honest.close()
    await this.cloud.close()
  }
}

function openReplica(name: string): Promise<Replica> {
  return createReplica({
    storage: memoryStorage(),
    name,
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    policy: placePolicy(),
  })
}

/** As in a fleet, where a document is at home is not for `mallory` to decide. */
function placePolicy(): Policy {
  const everything = { read: ['*'], write: ['*'] }
  const mallory = { read: ['open', 'shared'], write: ['open'] }
  const policy = grants({ honest: everything, cloud: everything, mallory })
  return {
    ...policy,
    mayWrite: (principal, request) => {
      const moves = request.kind === 'join' || request.kind === 'leave'
      return moves && principal === 'mallory' ? DENIED : policy.mayWrite(principal, request)
    },
  }
}

async function acceptAll(
  hub: MemoryHub,
  replica: Replica,
  wrap: (connection: Connection) => Connection,
): Promise<void> {
  for await (const connection of hub.listen('memory:cloud')) replica.accept(wrap(connection))
}
