import { ConnectionClosedError, DialError, UsageError } from '../../core/errors.ts'
import type { AbortOptions } from '../../core/interfaces/abort.ts'
import type { Connection, Listener, Transport } from '../../core/interfaces/transport.ts'
import { Inbox } from '../inbox.ts'
import { connectionPair, type MemoryConnectionLimits } from './connection.ts'

/** Options of a {@link MemoryHub}. */
export interface MemoryHubOptions {
  /** The largest message. Default: 16 MiB. */
  readonly messageBytesMax?: number | undefined
  /** Above this many waiting bytes `send` returns false. Default: 256 KiB. */
  readonly queuedBytesMax?: number | undefined
  /** A reader that has this many bytes unread holds its peer back. Default: 256 KiB. */
  readonly inboxBytesMax?: number | undefined
  /** Connections that nobody has accepted yet; dialling fails past it. Default: 128. */
  readonly backlogMax?: number | undefined
  /**
   * Runs one delivery later, never in the same turn. Default: `queueMicrotask`. Whatever it does, each
   * connection's messages keep their order.
   */
  readonly schedule?: ((deliver: () => void) => void) | undefined
}

/** Who dials. */
export interface MemoryTransportOptions {
  /** The `principal` that the accepting side sees. Default: none. */
  readonly principal?: string | undefined
  /** The `remoteAddress` that the accepting side sees. Default: `memory:dialer`. */
  readonly address?: string | undefined
}

/**
 * A network inside one process: the reference transport.
 *
 * ```ts
 * const hub = new MemoryHub()
 * const listener = hub.listen('memory:cloud')
 * const connection = await hub.transport().dial('memory:cloud')
 * ```
 */
export class MemoryHub {
  readonly #limits: MemoryConnectionLimits
  readonly #backlogMax: number
  readonly #listeners = new Map<string, MemoryListener>()

  constructor(options: MemoryHubOptions = {}) {
    this.#backlogMax = options.backlogMax ?? 128
    this.#limits = {
      messageBytesMax: options.messageBytesMax ?? 16 * 1_024 * 1_024,
      queuedBytesMax: options.queuedBytesMax ?? 256 * 1_024,
      inboxBytesMax: options.inboxBytesMax ?? 256 * 1_024,
      schedule: options.schedule ?? queueMicrotask,
    }
  }

  /** @throws UsageError when somebody listens at `address` already. */
  listen(address: string): Listener {
    if (this.#listeners.has(address)) {
      throw new UsageError('USAGE_INVALID_ARGUMENT', 'somebody listens at this address already', {
        address,
      })
    }
    const listener = new MemoryListener(address, () => this.#listeners.delete(address))
    this.#listeners.set(address, listener)
    return listener
  }

  /** A transport that dials the listeners of this hub. */
  transport(options: MemoryTransportOptions = {}): Transport {
    return {
      name: 'memory',
      supports: {
        listen: true,
        readBackpressure: true,
        messageBytesMax: this.#limits.messageBytesMax,
      },
      dial: (address, dialOptions = {}) => this.#dial(address, options, dialOptions),
    }
  }

  #dial(
    address: string,
    dialer: MemoryTransportOptions,
    { signal }: AbortOptions,
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason)
        return
      }
      const onAbort = () => reject(signal?.reason)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#limits.schedule(() => {
        signal?.removeEventListener('abort', onAbort)
        if (signal?.aborted === true) return
        const listener = this.#listeners.get(address)
        if (listener === undefined) {
          reject(new DialError('nobody listens at this address', { fields: { address } }))
        } else if (listener.waiting >= this.#backlogMax) {
          reject(new DialError('the listener accepts too slowly', { fields: { address } }))
        } else {
          resolve(this.#open(listener, address, dialer))
        }
      })
    })
  }

  #open(listener: MemoryListener, address: string, dialer: MemoryTransportOptions): Connection {
    const [outbound, inbound] = connectionPair(
      this.#limits,
      { direction: 'outbound', remoteAddress: address, principal: undefined },
      {
        direction: 'inbound',
        remoteAddress: dialer.address ?? 'memory:dialer',
        principal: dialer.principal,
      },
    )
    listener.add(inbound)
    return outbound
  }
}

class MemoryListener implements Listener {
  readonly addresses: readonly string[]
  readonly #accepted = new Inbox<Connection>(() => 1)
  readonly #onClose: () => void

  constructor(address: string, onClose: () => void) {
    this.addresses = [address]
    this.#onClose = onClose
  }

  get waiting(): number {
    return this.#accepted.count
  }

  add(connection: Connection): void {
    this.#accepted.push(connection)
  }

  async close(): Promise<void> {
    this.#onClose()
    // Nobody will take these any more, and their dialers must not wait for ever.
    for (const connection of this.#accepted.takeAll()) {
      connection.abort(new ConnectionClosedError('the listener closed before it accepted'))
    }
    this.#accepted.end()
  }

  [Symbol.asyncIterator](): AsyncIterator<Connection, undefined> {
    return this.#accepted.read()
  }
}
