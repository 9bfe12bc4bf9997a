import type { Random } from '../interfaces/clock.ts'
import type { Connection } from '../interfaces/transport.ts'
import type { CloseFrame } from '../sync/message.ts'
import { encodeFrame } from '../sync/message-codec.ts'

/** How many connections a replica takes. */
export interface AdmissionOptions {
  /** Connections whose peer has not been let in yet. Default 1,024. */
  readonly handshakesMax?: number | undefined
  /** Connections in all that others opened. Default 50,000. */
  readonly connectionsMax?: number | undefined
  /** How long one that is sent away is asked to wait, in milliseconds, before jitter. Default 1,000. */
  readonly retryAfterMs?: number | undefined
}

const HANDSHAKES_MAX = 1_024
const CONNECTIONS_MAX = 50_000
const RETRY_AFTER_MS = 1_000

/** Nobody is asked to wait longer, however many wait. */
const RETRY_AFTER_MS_MAX = 60_000

/**
 * Sends connections away while too many are being let in, so that those that are get through.
 *
 * Each one costs the same, whatever the number: a frame that names a time to come back. The times are
 * spread over as many turns as there are waiting, so that they do not come back all at once either.
 */
export class Admission {
  readonly #random: Random
  readonly #handshakesMax: number
  readonly #connectionsMax: number
  readonly #retryAfterMs: number
  #handshakes = 0
  #connections = 0
  /** Sent away since the last time that there was room for all. */
  #turnedAway = 0

  constructor(random: Random, options: AdmissionOptions = {}) {
    this.#random = random
    this.#handshakesMax = options.handshakesMax ?? HANDSHAKES_MAX
    this.#connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX
    this.#retryAfterMs = options.retryAfterMs ?? RETRY_AFTER_MS
  }

  /** Counts one connection in, or tells it to come back. @returns undefined when it was sent away. */
  enter(
    connection: Connection,
  ): { readonly admitted: () => void; readonly left: () => void } | undefined {
    if (this.#handshakes >= this.#handshakesMax || this.#connections >= this.#connectionsMax) {
      this.#turnedAway += 1
      turnAway(connection, this.#retryAfter())
      return undefined
    }
    this.#handshakes += 1
    this.#connections += 1
    let shaking = true
    const admitted = (): void => {
      if (!shaking) return
      shaking = false
      this.#handshakes -= 1
      if (this.#handshakes * 2 <= this.#handshakesMax) this.#turnedAway = 0
    }
    const left = (): void => {
      admitted()
      this.#connections -= 1
    }
    return { admitted, left }
  }

  #retryAfter(): number {
    const bytes = new Uint8Array(4)
    this.#random.fill(bytes)
    const fraction = new DataView(bytes.buffer).getUint32(0) / 2 ** 32
    const turns = Math.ceil(this.#turnedAway / Math.max(1, this.#handshakesMax))
    const spreadMs = Math.min(turns * this.#retryAfterMs, RETRY_AFTER_MS_MAX - this.#retryAfterMs)
    return Math.round(this.#retryAfterMs + fraction * Math.max(0, spreadMs))
  }
}

function turnAway(connection: Connection, retryAfterMs: number): void {
  const frame: CloseFrame = {
    type: 'close',
    code: 'ACCESS_BUSY',
    message: 'too many connections at once',
    retryable: true,
    retryAfterMs,
  }
  try {
    connection.send(encodeFrame(frame))
  } catch {
    // It is gone already.
  }
  void connection.close()
}
