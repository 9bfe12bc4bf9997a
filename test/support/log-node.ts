import { MemoryMedium, memoryStorage } from '../../src/adapters/storage/memory/index.ts'
import { Documents, type Held } from '../../src/core/document/documents.ts'
import { documentRewriter } from '../../src/core/document/generation-rewriter.ts'
import { type DocumentKind, GENESIS_ACTOR, PLAIN_KIND } from '../../src/core/document/kind.ts'
import type { JsonMap } from '../../src/core/document/value.ts'
import type { Storage } from '../../src/core/interfaces/storage.ts'
import { EventLog } from '../../src/core/log/event-log.ts'
import type { Denial, IncomingEntry } from '../../src/core/log/submission.ts'
import { checkEntry } from '../../src/core/replica/incoming.ts'
import { consoleLogger, systemClock, systemRandom } from '../../src/system.ts'
import { sha256 } from './memory-log.ts'

/** A log with documents on it, and a way to give entries to another: a replica without connections. */
export class LogNode {
  readonly name: string
  readonly log: EventLog
  readonly documents: Documents
  readonly #cursors = new Map<string, number>()
  /** Why an entry of a peer is not taken. */
  check: (entry: IncomingEntry) => Denial | undefined = () => undefined

  private constructor(name: string, log: EventLog) {
    this.name = name
    this.log = log
    const logger = consoleLogger('silent')
    const options = { log, clock: systemClock, sha256, logger, cacheBytesMax: 1 << 20 }
    this.documents = new Documents(options)
  }

  static async open(
    name: string,
    storage: Storage = memoryStorage({ medium: new MemoryMedium() }),
    genesis: readonly string[] = [],
  ): Promise<LogNode> {
    const log = await EventLog.open({
      storage,
      replica: name,
      sha256,
      random: systemRandom,
      genesisActor: GENESIS_ACTOR,
      isGenesis: (hash) => genesis.includes(hash),
      rewriter: documentRewriter(sha256),
    })
    return new LogNode(name, log)
  }

  hold(id: string, kind: DocumentKind = PLAIN_KIND): Promise<Held> {
    return this.documents.hold(id, kind, 'c')
  }

  /** The value of a document. */
  async value(id: string, kind: DocumentKind = PLAIN_KIND): Promise<JsonMap> {
    const held = await this.hold(id, kind)
    const { value } = held.document
    this.documents.release(held)
    return value
  }

  /** Changes a document, and waits until that is durable. */
  async edit(
    id: string,
    recipe: (draft: Record<string, unknown>) => void,
    kind: DocumentKind = PLAIN_KIND,
  ): Promise<void> {
    const held = await this.hold(id, kind)
    this.change(held, recipe)
    await held.durable
    this.documents.release(held)
  }

  change(held: Held, recipe: (draft: Record<string, unknown>) => void): void {
    const { value } = held.document
    const draft = structuredClone(value) as Record<string, unknown>
    recipe(draft)
    this.documents.edit(held, value, draft, { timeSeconds: 1 })
  }

  async cut(id: string): Promise<void> {
    const record = await this.log.record(id)
    if (record === undefined) return
    await this.log.commit({ type: 'cut', document: id, generation: record.generation })
  }

  /** Gives `peer` everything of this log that it does not have, in order, as a connection would. */
  async give(peer: LogNode, entriesMax: number = Number.POSITIVE_INFINITY): Promise<number> {
    let after = this.#cursors.get(peer.name) ?? 0
    let given = 0
    for (let end = false; !end && given < entriesMax; ) {
      const page = await this.log.read({ after, bytesMax: 2_000 })
      const wires = page.entries.filter(({ from }) => from !== peer.name)
      const entries = wires.map(({ kind, document, collection, generation, bytes }) =>
        checkEntry({ kind, document, collection, generation, bytes }, sha256),
      )
      const check = peer.check.bind(peer)
      const { rejects } = await peer.log.commit({
        type: 'remote',
        from: this.name,
        entries,
        peer: undefined,
        check,
      })
      if (rejects.length > 0 && peer.check(entries[0] as IncomingEntry) === undefined)
        throw new Error(`${peer.name} refused: ${rejects[0]?.message}`)
      given += entries.length
      after = page.upTo
      this.#cursors.set(peer.name, after)
      end = page.end
    }
    return given
  }

  async late(): Promise<readonly string[]> {
    const hashes: string[] = []
    for await (const { hash } of this.log.late()) hashes.push(hash)
    return hashes
  }

  async digest(id: string): Promise<string> {
    const record = await this.log.record(id)
    return Buffer.from(record?.digest ?? []).toString('hex')
  }

  async kinds(id: string): Promise<readonly string[]> {
    const page = await this.log.read({ after: 0, document: id, bytesMax: 1 << 24 })
    return page.entries.map(({ kind }) => kind)
  }
}

/** Gives everything in every direction, until nothing is left to give. */
export async function settleAll(nodes: readonly LogNode[]): Promise<void> {
  for (let given = 1; given > 0; ) {
    given = 0
    for (const from of nodes) {
      for (const to of nodes) if (from !== to) given += await from.give(to)
    }
  }
}

/** Gives everything, also what came from there: as to a log that lost it. */
export async function giveAll(from: LogNode, to: LogNode): Promise<void> {
  const { entries } = await from.log.read({ after: 0, bytesMax: 1 << 24 })
  const wires = entries.map(({ kind, document, collection, generation, bytes }) =>
    checkEntry({ kind, document, collection, generation, bytes }, sha256),
  )
  const delivery = { from: from.name, entries: wires, peer: undefined, check: () => undefined }
  await to.log.commit({ type: 'remote', ...delivery })
}
