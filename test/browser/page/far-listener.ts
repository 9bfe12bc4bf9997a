import type {
  AbortOptions,
  CloseReason,
  Connection,
  Listener,
  TidewayError,
  Transport,
} from 'tideway'
import type { TransportPlace } from 'tideway/compliance'
import { callFar, errorOf, type FarErrorRecord, numberError, readFar } from './far-channel.ts'

/** How Node tells that a connection ended. */
export type FarCloseReason =
  | Exclude<CloseReason, { readonly type: 'failed' }>
  | { readonly type: 'failed'; readonly error: FarErrorRecord }

/** How Node describes a connection that it accepted. */
export interface FarAccepted {
  readonly target: number
  readonly remoteAddress: string
}

/** A WebSocket server in Node, handled from the page, with the transport that dials it. */
export async function farPlace(transport: Transport): Promise<TransportPlace> {
  const { target, addresses } = (await callFar('listen', 0)) as {
    readonly target: number
    readonly addresses: readonly string[]
  }
  const listener = new FarListener(target, addresses)
  return { transport, listener, dispose: () => listener.close() }
}

class FarListener implements Listener {
  readonly addresses: readonly string[]
  readonly #target: number

  constructor(target: number, addresses: readonly string[]) {
    this.#target = target
    this.addresses = addresses
  }

  async close(): Promise<void> {
    await callFar('stop', this.#target)
  }

  [Symbol.asyncIterator](): AsyncIterator<Connection, undefined> {
    return {
      next: async () => {
        const accepted = (await callFar('accept', this.#target)) as FarAccepted | undefined
        if (accepted === undefined) return { done: true, value: undefined }
        return { done: false, value: new FarConnection(accepted) }
      },
    }
  }
}

/** Node's end of a connection. Every call is made there before it returns here. */
class FarConnection implements Connection {
  readonly direction = 'inbound'
  readonly principal: string | undefined = undefined
  readonly remoteAddress: string
  readonly closed: Promise<CloseReason>
  readonly #target: number
  #closing: Promise<void> | undefined

  constructor({ target, remoteAddress }: FarAccepted) {
    this.#target = target
    this.remoteAddress = remoteAddress
    this.closed = this.#watchClosed()
  }

  send(message: Uint8Array): boolean {
    return callFar('send', this.#target, message as Uint8Array<ArrayBuffer>) as boolean
  }

  async drained({ signal }: AbortOptions = {}): Promise<void> {
    const drained = callFar('drained', this.#target) as Promise<unknown>
    if (signal === undefined) {
      await drained
      return
    }
    // A signal cannot travel. What Node's end does with one is checked where both ends are in Node.
    await new Promise((resolve, reject) => {
      drained.then(resolve, reject)
      if (signal.aborted) reject(signal.reason)
      else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }

  close(): Promise<void> {
    this.#closing ??= (callFar('close', this.#target) as Promise<unknown>).then(() => undefined)
    return this.#closing
  }

  abort(reason: TidewayError): void {
    callFar('abort', this.#target, JSON.stringify(numberError(reason)))
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    callFar('read', this.#target)
    return {
      next: async () => {
        const value = await readFar(this.#target)
        return value === undefined ? { done: true, value } : { done: false, value }
      },
    }
  }

  async #watchClosed(): Promise<CloseReason> {
    const reason = (await callFar('closed', this.#target)) as FarCloseReason
    return reason.type === 'failed' ? { type: 'failed', error: errorOf(reason.error) } : reason
  }
}
