import type { Principal } from '../access/policy.ts'
import type { ReplicaId } from '../ids.ts'
import type { Cancel } from '../interfaces/clock.ts'

/** A signal of a peer: an ephemeral value under a key, of which only the last counts. Never logged. */
export interface Signal {
  readonly key: string
  /** Undefined when the peer withdrew it. */
  readonly value: Uint8Array | undefined
  readonly peer: ReplicaId
  readonly principal: Principal
}

/** Signals that were set here, and who listens to those of peers. */
export class SignalTable {
  readonly own: Map<string, Uint8Array> = new Map()
  readonly #listeners = new Set<{
    readonly prefix: string
    readonly listener: (signal: Signal) => void
  }>()

  listen(prefix: string, listener: (signal: Signal) => void): Cancel {
    const entry = { prefix, listener }
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  deliver(signal: Signal): void {
    for (const { prefix, listener } of [...this.#listeners]) {
      if (signal.key.startsWith(prefix)) listener(signal)
    }
  }
}
