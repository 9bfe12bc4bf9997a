import { utf8 } from '../bytes.ts'
import { UsageError } from '../errors.ts'
import { SparseMap, SparseSet } from '../sparse-collections.ts'
import type { Violation } from './field-reader.ts'
import { NAME_BYTES_MAX, type SessionLimits, SIGNAL_BYTES_MAX } from './limits.ts'
import type { Frame } from './message.ts'

/**
 * Keyed values of which only the last counts. They are never logged and die with the session.
 *
 * A value that was not sent yet is replaced by the next one, so a slow peer costs one value a key.
 */
export class Signals {
  readonly #limits: SessionLimits
  readonly #waiting: SparseMap<string, Uint8Array | undefined> = new SparseMap()
  /** Keys that the peer holds of us: withdrawing an unknown one needs no frame. */
  readonly #sent: SparseSet<string> = new SparseSet()
  /** Bytes of each key that we hold of the peer. */
  readonly #held: SparseMap<string, number> = new SparseMap()
  #heldBytes = 0

  constructor(limits: SessionLimits) {
    this.#limits = limits
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** @throws UsageError when the key or value is too large, or there are too many keys. */
  set(key: string, value: Uint8Array | undefined): void {
    const keyBytes = utf8(key).length
    if (keyBytes === 0 || keyBytes > NAME_BYTES_MAX) {
      throw new UsageError('USAGE_INVALID_ARGUMENT', 'the key of a signal is empty or too long', {
        keyBytes,
      })
    }
    if (value !== undefined && value.length > SIGNAL_BYTES_MAX) {
      const bytes = value.length
      throw new UsageError('USAGE_INVALID_ARGUMENT', 'the value of a signal is too large', {
        key,
        bytes,
      })
    }
    if (value === undefined && !this.#sent.has(key)) {
      this.#waiting.delete(key)
      return
    }
    const isNew = !this.#sent.has(key) && !this.#waiting.has(key)
    if (isNew && this.#sent.size + this.#waiting.size >= this.#limits.signalKeysMax) {
      throw new UsageError('USAGE_INVALID_ARGUMENT', 'there are too many signals', { key })
    }
    // A key that changes often must not overtake the others for ever: it keeps its place.
    this.#waiting.set(key, value)
  }

  /** The next frame to send. */
  next(): Frame | undefined {
    for (const [key, value] of this.#waiting) {
      this.#waiting.delete(key)
      if (value === undefined) this.#sent.delete(key)
      else this.#sent.add(key)
      return { type: 'signal', key, value }
    }
    return undefined
  }

  /** Counts what the peer holds here. */
  receive(key: string, value: Uint8Array | undefined): Violation | undefined {
    this.#heldBytes -= this.#held.get(key) ?? 0
    this.#held.delete(key)
    if (value === undefined) return undefined
    const bytes = key.length + value.length
    this.#held.set(key, bytes)
    this.#heldBytes += bytes
    const { signalKeysMax, signalsBytesMax } = this.#limits
    if (this.#held.size > signalKeysMax) {
      return {
        code: 'PROTOCOL_LIMIT_EXCEEDED',
        message: `SIGNAL: key is one of more than ${signalKeysMax}`,
      }
    }
    if (this.#heldBytes > signalsBytesMax) {
      return {
        code: 'PROTOCOL_LIMIT_EXCEEDED',
        message: `SIGNAL: value makes more than ${signalsBytesMax} bytes`,
      }
    }
    return undefined
  }
}
