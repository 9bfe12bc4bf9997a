import { ConnectionClosedError, DialError, type TidewayError } from '../../src/core/errors.ts'
import type { AbortOptions } from '../../src/core/interfaces/abort.ts'
import type {
  CloseReason,
  Connection,
  Listener,
  Transport,
} from '../../src/core/interfaces/transport.ts'
import type { SimulatedTime } from './clock.ts'
import type { SeededRandom } from './random.ts'
import { HOSTILE } from './topology.ts'

/** What goes wrong on the way, in force for every link. */
export interface NetworkFaults {
  readonly delayMsMin: number
  readonly delayMsMax: number
  /** The chance that a message breaks its connection. */
  readonly loss: number
}

/** An inbox that ends or fails, read by one consumer. */
class Mailbox<Item> implements AsyncIterable<Item> {
  #items: Item[] = []
  #end: { readonly error: Error | undefined } | undefined
  #wake: (() => void) | undefined

  put(item: Item): void {
    if (this.#end === undefined) this.#items.push(item)
    this.#wake?.()
  }

  end(error?: Error): void {
    this.#end ??= { error }
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    while (true) {
      const item = this.#items.shift()
      if (item !== undefined) {
        yield item
        continue
      }
      if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error
        return
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/** What one message cost, for those who count. */
export interface Sent {
  readonly from: string
  readonly to: string
  readonly bytes: number
}

/** Sees every message of real connections, when it is sent and when it is read. */
export interface NetworkWatcher {
  opened(connection: number, dialer: string, accepter: string): void
  sent(connection: number, from: string, to: string, message: Uint8Array): void
  read(connection: number, from: string, to: string, message: Uint8Array): void
}

/** How many messages of a dialer are kept, to be played again. */
const RECORDED_MAX = 40

/** Messages that a connection takes before it says that it is full. */
const HIGH_WATER = 8

/**
 * A network between named machines. Connections are ordered and reliable until they break; delays
 * differ from message to message, so connections overtake each other. A direction may be blocked: what
 * is sent then waits, and arrives or is lost with its connection when the block ends.
 */
export class SimulatedNetwork {
  readonly #time: SimulatedTime
  readonly #random: SeededRandom
  readonly #listeners: Map<string, Mailbox<Connection>> = new Map()
  readonly #connections: Set<SimulatedConnection> = new Set()
  /** Blocked directions, as `from>to`. */
  readonly #blocked: Set<string> = new Set()
  readonly sent: Sent[] = []
  readonly #recorded: Map<string, Uint8Array[]> = new Map()
  #opened = 0
  faults: NetworkFaults = { delayMsMin: 1, delayMsMax: 40, loss: 0 }
  watcher: NetworkWatcher | undefined
  /** The most messages that ever waited in one connection that had said it was full. */
  waitingMax = 0

  constructor(time: SimulatedTime, random: SeededRandom) {
    this.#time = time
    this.#random = random
  }

  listen(name: string): Listener {
    const mailbox = new Mailbox<Connection>()
    this.#listeners.set(name, mailbox)
    return {
      addresses: [name],
      close: async () => {
        if (this.#listeners.get(name) === mailbox) this.#listeners.delete(name)
        mailbox.end()
      },
      [Symbol.asyncIterator]: () => mailbox[Symbol.asyncIterator](),
    }
  }

  transport(from: string): Transport {
    return {
      name: 'simulated',
      supports: { listen: true, readBackpressure: false, messageBytesMax: 1 << 24 },
      dial: (to, options) => this.#dial(from, to, options),
    }
  }

  #dial(from: string, to: string, options: AbortOptions = {}): Promise<Connection> {
    return new Promise((resolve, reject) => {
      options.signal?.addEventListener('abort', () => reject(options.signal?.reason), {
        once: true,
      })
      if (this.blocks(from, to) || this.blocks(to, from)) return
      this.#time.after(this.delay(), () => {
        const listener = this.#listeners.get(to)
        if (options.signal?.aborted === true) return
        if (listener === undefined) return reject(new DialError('nobody listens there'))
        const outbound = this.#pair(from, to, listener)
        this.watcher?.opened(outbound.id, from, to)
        this.#recorded.set(`${from}>${to}`, outbound.recorded)
        resolve(outbound)
      })
    })
  }

  #pair(from: string, to: string, listener: Mailbox<Connection>): SimulatedConnection {
    this.#opened += 1
    const outbound = new SimulatedConnection(this, this.#opened, 'outbound', from, to)
    const inbound = new SimulatedConnection(this, this.#opened, 'inbound', to, from)
    outbound.peer = inbound
    inbound.peer = outbound
    this.#connections.add(outbound).add(inbound)
    listener.put(inbound)
    return outbound
  }

  /**
   * Somebody plays the messages of the last connection between two machines again, over a new one,
   * and hangs up after a while.
   */
  replay(from: string, to: string): void {
    const listener = this.#listeners.get(to)
    const recorded = this.#recorded.get(`${from}>${to}`)
    if (listener === undefined || recorded === undefined) return
    const messages = [...recorded]
    const outbound = this.#pair(from, to, listener)
    for (const message of messages) outbound.play(message)
    this.#time.after(this.#random.between(50, 20_000), () => outbound.break())
  }

  /** Nothing that a machine said before is played again: it no longer is who said it. */
  forgetRecorded(name: string): void {
    for (const way of [...this.#recorded.keys()]) {
      if (way.startsWith(`${name}>`) || way.endsWith(`>${name}`)) this.#recorded.delete(way)
    }
  }

  delay(): number {
    return this.#random.between(this.faults.delayMsMin, this.faults.delayMsMax)
  }

  blocks(from: string, to: string): boolean {
    return this.#blocked.has(`${from}>${to}`)
  }

  /** Stops one direction. Connections stay open until somebody loses patience. */
  block(from: string, to: string): void {
    this.#blocked.add(`${from}>${to}`)
  }

  unblock(from: string, to: string): void {
    this.#blocked.delete(`${from}>${to}`)
    for (const connection of this.#connections) {
      if (connection.local === from && connection.remoteAddress === to) connection.flush()
    }
  }

  heal(): void {
    for (const direction of [...this.#blocked]) {
      const [from = '', to = ''] = direction.split('>')
      this.unblock(from, to)
    }
  }

  /** Breaks every connection between two machines. */
  breakBetween(a: string, b: string): void {
    for (const connection of [...this.#connections]) {
      if (connection.local === a && connection.remoteAddress === b) connection.break()
    }
  }

  /** A machine is gone: its connections break for the others after a while, and nobody listens there. */
  crash(name: string): void {
    this.#listeners.get(name)?.end()
    this.#listeners.delete(name)
    for (const connection of [...this.#connections])
      if (connection.local === name) connection.break()
  }

  /** So many messages wait beyond what a connection takes. */
  tooMany(waiting: number): void {
    this.waitingMax = Math.max(this.waitingMax, waiting)
  }

  forget(connection: SimulatedConnection): void {
    this.#connections.delete(connection)
  }

  /** Carries one message. */
  carry(connection: SimulatedConnection, bytes: Uint8Array, notBeforeMs: number): number {
    this.sent.push({ from: connection.local, to: connection.remoteAddress, bytes: bytes.length })
    if (this.#random.chance(this.faults.loss)) {
      connection.break()
      return notBeforeMs
    }
    const arrivalMs = Math.max(notBeforeMs, this.#time.nowMs + this.delay())
    this.#time.after(arrivalMs - this.#time.nowMs, () => connection.peer?.arrive(bytes))
    return arrivalMs
  }

  later(run: () => void): void {
    this.#time.after(this.delay(), run)
  }
}

class SimulatedConnection implements Connection {
  readonly direction: 'inbound' | 'outbound'
  readonly local: string
  readonly remoteAddress: string
  readonly principal: string
  readonly closed: Promise<CloseReason>
  readonly #network: SimulatedNetwork
  readonly id: number
  /** What a dialer said, from the beginning. */
  readonly recorded: Uint8Array[] = []
  readonly #mailbox = new Mailbox<Uint8Array>()
  #waiting: Uint8Array[] = []
  #drained: (() => void)[] = []
  #lastArrivalMs = 0
  #over = false
  #end: (reason: CloseReason) => void = () => undefined
  peer: SimulatedConnection | undefined

  constructor(
    network: SimulatedNetwork,
    id: number,
    direction: 'inbound' | 'outbound',
    local: string,
    remote: string,
  ) {
    this.#network = network
    this.id = id
    this.direction = direction
    this.local = local
    this.remoteAddress = remote
    this.principal = remote
    this.closed = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  send(message: Uint8Array): boolean {
    if (this.#over) throw new ConnectionClosedError()
    const bytes = message.slice()
    if (this.direction === 'outbound' && this.recorded.length < RECORDED_MAX)
      this.recorded.push(bytes)
    this.#network.watcher?.sent(this.id, this.local, this.remoteAddress, bytes)
    this.play(bytes)
    if (this.local !== HOSTILE) this.#network.tooMany(this.#waiting.length - HIGH_WATER)
    return this.#waiting.length < HIGH_WATER
  }

  /** Sends without being seen to. */
  play(bytes: Uint8Array): void {
    if (this.#network.blocks(this.local, this.remoteAddress)) this.#waiting.push(bytes)
    else this.#lastArrivalMs = this.#network.carry(this, bytes, this.#lastArrivalMs)
  }

  drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#drained.push(resolve)
      void this.closed.then(() => reject(new ConnectionClosedError()))
    })
  }

  /** The block ended: what waited goes on its way. */
  flush(): void {
    for (const bytes of this.#waiting.splice(0)) {
      if (!this.#over) this.#lastArrivalMs = this.#network.carry(this, bytes, this.#lastArrivalMs)
    }
    for (const resolve of this.#drained.splice(0)) resolve()
  }

  arrive(bytes: Uint8Array): void {
    if (this.#over) return
    this.#network.watcher?.read(this.id, this.remoteAddress, this.local, bytes)
    this.#mailbox.put(bytes)
  }

  async close(): Promise<void> {
    if (this.#over) return
    this.#finish({ type: 'local' })
    const { peer } = this
    // Behind everything that is under way.
    this.#network.later(() => this.#network.later(() => peer?.end()))
  }

  abort(error: TidewayError): void {
    if (this.#over) return
    this.#finish({ type: 'failed', error }, error)
    this.#network.later(() => this.peer?.break())
  }

  /** The peer closed in good order. */
  end(): void {
    this.#finish({ type: 'remote', reason: 'closed' })
  }

  /** The connection is lost, for both ends, each in its time. */
  break(): void {
    const error = new ConnectionClosedError('the simulated link broke')
    this.#finish({ type: 'failed', error }, error)
    const { peer } = this
    this.#network.later(() => peer?.fail(error))
  }

  fail(error: TidewayError): void {
    this.#finish({ type: 'failed', error }, error)
  }

  #finish(reason: CloseReason, error?: Error): void {
    if (this.#over) return
    this.#over = true
    this.#network.forget(this)
    this.#mailbox.end(error)
    this.#end(reason)
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#mailbox[Symbol.asyncIterator]()
  }
}
