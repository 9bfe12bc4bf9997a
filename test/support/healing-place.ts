import { MemoryMedium, memoryStorage } from '../../src/adapters/storage/memory/index.ts'
import { grants } from '../../src/core/access/policy.ts'
import type { LogFields, Logger } from '../../src/core/interfaces/logger.ts'
import type { Storage } from '../../src/core/interfaces/storage.ts'
import { createReplica, type Replica, type Uplink } from '../../src/index.ts'
import { nodeSha256 } from '../../src/node/index.ts'
import { MemoryHub } from '../../src/transports/memory/index.ts'
import { Author } from './author.ts'
import { openLog } from './memory-log.ts'
import { type Meter, metered } from './metered.ts'

/** A replica whose storage a test can reach. */
export interface Node {
  readonly replica: Replica
  readonly storage: Storage
  readonly medium: MemoryMedium
  /** What it logged as errors. */
  readonly errors: string[]
}

const everything = { read: ['*'], write: ['*'] }
const NAMES = ['cloud', 'edge', 'edge-2', 'hub']

/** Replicas in one process that lose something, and a way between them that counts. */
export class HealingPlace {
  readonly hub: MemoryHub = new MemoryHub()
  readonly #open = new Set<Replica>()

  /** Opens a replica that listens under its name. */
  async open(name: string, medium: MemoryMedium = new MemoryMedium()): Promise<Node> {
    return await this.openOn(name, memoryStorage({ medium }), medium)
  }

  /** The same on any storage. */
  async openOn(
    name: string,
    storage: Storage,
    medium: MemoryMedium = new MemoryMedium(),
  ): Promise<Node> {
    const errors: string[] = []
    const replica = await createReplica({
      ...{ storage, name, sha256: nodeSha256(), logger: loggerTo(errors) },
      policy: grants(Object.fromEntries(NAMES.map((each) => [each, everything]))),
    })
    this.#open.add(replica)
    replica.serve(this.hub.listen(`memory:${name}`))
    return { replica, storage, medium, errors }
  }

  dial(
    from: Node,
    to: Node,
    collections: readonly string[] = ['c'],
  ): { readonly uplink: Uplink; readonly meter: Meter } {
    const { transport, meter } = metered(this.hub.transport({ principal: from.replica.name }))
    const address = `memory:${to.replica.name}`
    const principal = to.replica.name
    return { uplink: from.replica.connect({ transport, address, collections, principal }), meter }
  }

  async stop(node: Node): Promise<void> {
    this.#open.delete(node.replica)
    await node.replica.close()
  }

  async close(): Promise<void> {
    for (const replica of this.#open) await replica.close()
    this.#open.clear()
  }
}

/** Resolves when `look` says so; looks again after each turn. */
export async function until(look: () => Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const end = Date.now() + timeoutMs
  while (!(await look())) {
    if (Date.now() > end) throw new Error(`not so after ${timeoutMs} ms: ${String(look)}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Resolves when all hold the same in these collections. */
export function equal(
  nodes: readonly Node[],
  collections: readonly string[] = ['c'],
  timeoutMs = 10_000,
): Promise<void> {
  return until(async () => {
    const digests = nodes.map(({ replica }) => replica.digest(collections))
    return new Set(await Promise.all(digests)).size === 1
  }, timeoutMs)
}

/** Waits until nothing was said for a while. */
export async function quiet(meter: Meter, ms = 100): Promise<void> {
  for (let before = -1; before !== meter.in + meter.out; ) {
    before = meter.in + meter.out
    await new Promise((resolve) => setTimeout(resolve, ms))
  }
}

/** Changes one field of a document, durably. */
export async function edit(node: Node, id: string, text: string, collection = 'c'): Promise<void> {
  const handle = await node.replica.open<{ text?: string }>(id, { collection })
  handle.change(() => ({ text }))
  await handle.durable()
  await handle.close()
}

export async function textOf(node: Node, id: string): Promise<string | undefined> {
  const handle = await node.replica.open<{ text?: string }>(id, { collection: 'c' })
  const { text } = handle.value
  await handle.close()
  return text
}

/** Writes many documents of one event each into a storage that belongs to nobody yet. */
export async function fill(
  medium: MemoryMedium,
  replica: string,
  documents: Iterable<string>,
  collection = 'c',
): Promise<void> {
  const log = await openLog({ storage: memoryStorage({ medium }), replica })
  const event = new Author('ee'.repeat(8)).set('text', 'the same in all')
  const commits: Promise<unknown>[] = []
  for (const document of documents)
    commits.push(log.commit({ type: 'local', document, collection, events: [event] }))
  await Promise.all(commits)
  await log.close()
}

function loggerTo(errors: string[]): Logger {
  const none = (): void => undefined
  const logger: Logger = {
    ...{ debug: none, info: none, warn: none },
    error: (message: string, _fields?: LogFields) => {
      errors.push(message)
    },
    child: () => logger,
  }
  return logger
}
