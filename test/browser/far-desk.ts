import { ConnectionClosedError } from '../../src/core/errors.ts'
import type { CloseReason, Connection, Listener } from '../../src/core/interfaces/transport.ts'
import { webSocketServer } from '../../src/transports/websocket/server.ts'
import type { FarAnswer, FarErrorRecord, FarMethod } from './page/far-channel.ts'
import type { FarAccepted, FarCloseReason } from './page/far-listener.ts'

type Settled = Exclude<FarAnswer, { readonly type: 'ticket' }>

interface Accepted {
  readonly connection: Connection
  iterator: AsyncIterator<Uint8Array, undefined> | undefined
}

interface Listening {
  readonly listener: Listener
  readonly iterator: AsyncIterator<Connection, undefined>
}

/**
 * Node's half of the control channel: WebSocket servers and their connections, called from the page.
 *
 * {@link call} does at once what it is asked; what takes time is waited for with its ticket.
 */
export class FarDesk {
  readonly #listening = new Map<number, Listening>()
  readonly #accepted = new Map<number, Accepted>()
  readonly #tickets = new Map<number, Promise<Settled>>()
  readonly #errorIds = new WeakMap<Error, string>()
  #count = 0

  call(method: FarMethod, target: number, body: Buffer): FarAnswer {
    try {
      const result = this.#call(method, target, body)
      if (!(result instanceof Promise)) return { type: 'value', value: result }
      const ticket = this.#number()
      this.#tickets.set(
        ticket,
        result.then(
          (value: unknown): Settled => ({ type: 'value', value }),
          (error: unknown): Settled => ({ type: 'thrown', error: this.record(error) }),
        ),
      )
      return { type: 'ticket', ticket }
    } catch (error) {
      return { type: 'thrown', error: this.record(error) }
    }
  }

  wait(ticket: number): Promise<Settled> {
    const settled = this.#tickets.get(ticket)
    if (settled === undefined) throw new Error(`there is no ticket ${ticket}`)
    this.#tickets.delete(ticket)
    return settled
  }

  /** The next message of a connection that the page reads, or undefined at its end. */
  async next(target: number): Promise<Uint8Array | undefined> {
    const { iterator } = found(this.#accepted, target)
    if (iterator === undefined) throw new Error('the page reads before it asked for an iterator')
    const next = await iterator.next()
    return next.done === true ? undefined : next.value
  }

  /** Numbers an error, so that it is known when it comes back. */
  record(thrown: unknown): FarErrorRecord {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    const id = this.#errorIds.get(error) ?? `node-${this.#number()}`
    this.#errorIds.set(error, id)
    const code = 'code' in error ? String(error.code) : ''
    return { id, code, message: error.message }
  }

  /** Ends what the page left open. */
  async close(): Promise<void> {
    const reason = new ConnectionClosedError('the room is closed')
    for (const { connection } of this.#accepted.values()) connection.abort(reason)
    await Promise.all([...this.#listening.values()].map(({ listener }) => listener.close()))
  }

  #call(method: FarMethod, target: number, body: Buffer): unknown {
    switch (method) {
      case 'listen':
        return this.#listen()
      case 'accept':
        return this.#accept(found(this.#listening, target).iterator)
      case 'stop':
        return found(this.#listening, target).listener.close()
      case 'closed':
        return found(this.#accepted, target).connection.closed.then((reason) => this.#told(reason))
      case 'send':
        return found(this.#accepted, target).connection.send(new Uint8Array(body))
      case 'drained':
        return found(this.#accepted, target).connection.drained()
      case 'read':
        this.#read(found(this.#accepted, target))
        return undefined
      case 'close':
        return found(this.#accepted, target).connection.close()
      case 'abort':
        this.#abort(found(this.#accepted, target).connection, body)
        return undefined
    }
  }

  async #listen(): Promise<{ readonly target: number; readonly addresses: readonly string[] }> {
    const listener = await webSocketServer()
    const target = this.#number()
    this.#listening.set(target, { listener, iterator: listener[Symbol.asyncIterator]() })
    return { target, addresses: listener.addresses }
  }

  async #accept(iterator: AsyncIterator<Connection, undefined>): Promise<FarAccepted | undefined> {
    const { value: connection } = await iterator.next()
    if (connection === undefined) return undefined
    const target = this.#number()
    this.#accepted.set(target, { connection, iterator: undefined })
    return { target, remoteAddress: connection.remoteAddress }
  }

  #read(accepted: Accepted): void {
    accepted.iterator = accepted.connection[Symbol.asyncIterator]()
  }

  #abort(connection: Connection, body: Buffer): void {
    const { id, message } = JSON.parse(body.toString()) as FarErrorRecord
    const reason = new ConnectionClosedError(message)
    this.#errorIds.set(reason, id)
    connection.abort(reason)
  }

  #told(reason: CloseReason): FarCloseReason {
    if (reason.type !== 'failed') return reason
    return { type: 'failed', error: this.record(reason.error) }
  }

  #number(): number {
    this.#count += 1
    return this.#count
  }
}

function found<Value>(map: ReadonlyMap<number, Value>, target: number): Value {
  const value = map.get(target)
  if (value === undefined) throw new Error(`there is no target ${target}`)
  return value
}
