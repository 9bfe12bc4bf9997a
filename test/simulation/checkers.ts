import type { CollectionId, DocumentId, ReplicaId } from '../../src/core/ids.ts'
import type { Replica } from '../../src/core/replica/replica.ts'
import type { Machine, Witness } from './simulator.ts'

/** An edit that its author was told to be safe. */
interface Promised {
  readonly hash: string
  readonly document: DocumentId
  readonly collection: CollectionId
}

/** Watches the safety invariants: what it finds is a failure of the run. */
export class Checkers implements Witness {
  readonly failures: string[] = []
  /** By machine: events that the application was told of, in any of its lives. */
  readonly #delivered: Map<ReplicaId, Set<string>> = new Map()
  /** By machine: what it promised to keep. */
  readonly #promised: Map<ReplicaId, Map<string, Promised>> = new Map()

  /** I4: an event is delivered once. I6: nothing comes from a collection that the policy forbids. */
  appended(
    machine: Machine,
    hashes: readonly string[],
    collections: readonly CollectionId[],
  ): void {
    const seen = this.#delivered.get(machine.name) ?? new Set()
    this.#delivered.set(machine.name, seen)
    for (const hash of hashes) {
      if (seen.has(hash)) this.failures.push(`I4: ${machine.name} was given ${hash} twice`)
      seen.add(hash)
    }
    for (const collection of collections) {
      if (!machine.collections.includes(collection)) {
        this.failures.push(`I6: ${machine.name} has an entry of ${collection}`)
      }
    }
  }

  restarted(_machine: Machine): void {}

  /** `machine` said that this event is on its disk. */
  promise(machine: ReplicaId, promised: Promised): void {
    const all = this.#promised.get(machine) ?? new Map<string, Promised>()
    this.#promised.set(machine, all)
    all.set(promised.hash, promised)
  }

  get promises(): number {
    let count = 0
    for (const promised of this.#promised.values()) count += promised.size
    return count
  }

  /** I1: what a machine promised is in its log, whatever happened to it. */
  async checkPromises(machine: ReplicaId, replica: Replica): Promise<void> {
    const promised = this.#promised.get(machine)
    if (promised === undefined || promised.size === 0) return
    const stored = await storedHashes(replica)
    for (const { hash, document } of promised.values()) {
      if (!stored.has(hash)) this.failures.push(`I1: ${machine} lost ${hash} of ${document}`)
    }
  }

  /** I1 at the end: what anybody promised is with everybody who shares the collection. */
  async checkEverywhere(machines: readonly Machine[]): Promise<void> {
    for (const machine of machines) {
      if (machine.process === undefined) continue
      const stored = await storedHashes(machine.process.replica)
      for (const [author, promised] of this.#promised) {
        for (const { hash, document, collection } of promised.values()) {
          if (!machine.collections.includes(collection) || stored.has(hash)) continue
          this.failures.push(`I1: ${machine.name} never got ${hash} of ${document} by ${author}`)
        }
      }
    }
  }
}

export async function storedHashes(replica: Replica): Promise<ReadonlySet<string>> {
  const hashes = new Set<string>()
  for (let after = 0; ; ) {
    const page = await replica.readLog({ after, bytesMax: 1 << 20 })
    for (const { hash } of page.entries) if (hash !== undefined) hashes.add(hash)
    if (page.end) return hashes
    after = page.upTo
  }
}

/** Everything that replicas with the same events must agree on, as text. */
export async function stateOf(replica: Replica, collection: CollectionId): Promise<string> {
  const lines: string[] = [`digest ${await replica.digest([collection])}`]
  for await (const { id, record } of replica.documents(`${collection}/`)) {
    if (record.deleted) {
      lines.push(`${id} deleted`)
      continue
    }
    const handle = await replica.open(id, { collection })
    lines.push(
      `${id} ${handle.heads.join(',')} ${canonical(handle.value)} ${handle.missing.length}`,
    )
    await handle.close()
  }
  return lines.join('\n')
}

/** JSON with sorted keys: the order of keys is no part of a value. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  )
}
