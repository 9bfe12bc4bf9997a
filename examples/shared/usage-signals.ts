import type { Replica } from 'tideway'
import type { UsageReport } from 'tideway/adapters/kubernetes/objects'
import { parseUsagePart, type UsageTable, usageParts } from 'tideway/adapters/kubernetes/server'

const PREFIX = 'usage/'

/** Tells every peer what a node uses, in as many signals as it takes. */
export class UsageSignals {
  readonly #replica: Replica
  readonly #node: string
  #parts = 0

  constructor(replica: Replica, node: string) {
    this.#replica = replica
    this.#node = node
  }

  /** What was told before is forgotten. */
  send(report: UsageReport): void {
    const parts = usageParts(report)
    for (const [index, bytes] of parts.entries()) this.#replica.signal(this.#key(index), bytes)
    for (let index = parts.length; index < this.#parts; index += 1)
      this.#replica.signal(this.#key(index), undefined)
    this.#parts = parts.length
  }

  #key(index: number): string {
    return `${PREFIX}${this.#node}/${index}`
  }
}

/** Follows what nodes tell of themselves, until they are away. Returns what ends it. */
export function followUsage(replica: Replica, table: UsageTable): () => void {
  const stopSignals = replica.onSignal(PREFIX, ({ key, value, peer }) => {
    // A node speaks for itself only.
    if (value === undefined || !key.startsWith(`${PREFIX}${peer}/`)) return
    const part = parseUsagePart(value)
    if (part !== undefined) table.take(peer, part)
  })
  const stopPeers = replica.onPeer(({ replica: peer }, connected) => {
    if (!connected) table.drop(peer)
  })
  return () => {
    stopSignals()
    stopPeers()
  }
}
