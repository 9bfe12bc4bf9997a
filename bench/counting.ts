import { EventEmitter, once } from 'node:events'

/** Bytes and messages in both directions of one connection, counted as payload at the socket. */
export class Counter {
  readonly #events = new EventEmitter()
  bytesUp = 0
  bytesDown = 0
  messages = 0
  /** How often an answer came after something had been sent: waits of one network round trip each. */
  roundTrips = 0
  #last: 'up' | 'down' | undefined

  up(bytes: number): void {
    this.bytesUp += bytes
    this.#count('up')
  }

  down(bytes: number): void {
    this.bytesDown += bytes
    if (this.#last === 'up') this.roundTrips += 1
    this.#count('down')
  }

  /** Resolves when `done` holds, asked after each message, and nothing more came for `quietMs`. */
  async settled(
    done: () => boolean | Promise<boolean>,
    quietMs: number,
  ): Promise<{ readonly doneMs: number }> {
    const begin = performance.now()
    let doneMs: number | undefined
    while (true) {
      if (doneMs === undefined && (await done())) doneMs = performance.now() - begin
      const seen = this.messages
      const timeout = AbortSignal.timeout(doneMs === undefined ? 2 : quietMs)
      await once(this.#events, 'message', { signal: timeout }).catch(() => undefined)
      if (doneMs !== undefined && seen === this.messages) return { doneMs }
      if (performance.now() - begin > 120_000)
        throw new Error('the two sides did not meet within two minutes')
    }
  }

  #count(direction: 'up' | 'down'): void {
    this.#last = direction
    this.messages += 1
    this.#events.emit('message')
  }
}

/** What one run of one system came to. */
export interface Reconnect {
  readonly bytes: number
  readonly messages: number
  readonly roundTrips: number
  readonly ms: number
  readonly cpuMs: number
}

/** Lets both sides meet and says what that took. `meet` starts it and resolves when both are equal. */
export async function measure(
  counter: Counter,
  meet: () => Promise<{ readonly doneMs: number }>,
): Promise<Reconnect> {
  const cpu = process.cpuUsage()
  const { doneMs } = await meet()
  const used = process.cpuUsage(cpu)
  return {
    bytes: counter.bytesUp + counter.bytesDown,
    messages: counter.messages,
    roundTrips: counter.roundTrips,
    ms: doneMs,
    cpuMs: (used.user + used.system) / 1000,
  }
}
