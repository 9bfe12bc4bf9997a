import { DialError } from '../../core/errors.ts'
import type { AbortOptions } from '../../core/interfaces/abort.ts'
import type { Connection, Transport } from '../../core/interfaces/transport.ts'
import { CLOSE_CODES } from './close-codes.ts'
import { SocketConnection, type SocketFace } from './connection.ts'
import { type SocketLimitOptions, socketLimits } from './socket-limits.ts'

export type { SocketLimitOptions }
export { CLOSE_CODES }

/** What is used of a WebSocket: that of browsers fits, and so do those of Node 22 and of `ws`. */
export interface StandardWebSocket {
  binaryType: string
  readonly bufferedAmount: number
  send(message: Uint8Array): void
  close(code?: number, reason?: string): void
  addEventListener(
    type: 'open' | 'message' | 'close' | 'error',
    listener: (event: never) => void,
  ): void
}

/** Opens one socket each time that it is constructed. */
export type StandardWebSocketClass = new (address: string) => StandardWebSocket

/** Options of {@link webSocket}. */
export interface WebSocketOptions extends SocketLimitOptions {
  /** The WebSocket class. Default: the global one. */
  readonly webSocket?: StandardWebSocketClass | undefined
}

/** How often the queue is looked at while somebody waits for it: there is no event for that. */
const QUEUE_POLL_MS = 10

/**
 * Dials with the standard WebSocket, as browsers have it.
 *
 * Such a WebSocket cannot hold its peer back, so a connection whose reader falls behind by
 * `inboxBytesMax` fails with BufferOverflowError. It sets no headers and tells nothing about why a
 * server refused; in Node, `nodeWebSocket` of `tideway/transports/websocket/server` does both.
 */
export function webSocket(options: WebSocketOptions = {}): Transport {
  const limits = socketLimits(options)
  return {
    name: 'websocket',
    supports: {
      listen: false,
      readBackpressure: false,
      messageBytesMax: limits.messageBytesMax,
    },
    dial: (address, dialOptions = {}) => dial(address, options, dialOptions),
  }
}

function dial(
  address: string,
  options: WebSocketOptions,
  { signal }: AbortOptions,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason)
      return
    }
    const socket = openSocket(address, options)
    let connection: SocketConnection | undefined
    const onAbort = () => {
      // A browser may open the socket after all; the open listener then finds the signal aborted.
      socket.close()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    socket.addEventListener('open', () => {
      signal?.removeEventListener('abort', onAbort)
      if (signal?.aborted === true) {
        socket.close(CLOSE_CODES.normal)
        return
      }
      const endpoint = {
        direction: 'outbound',
        remoteAddress: address,
        principal: undefined,
      } as const
      connection = new SocketConnection(faceOf(socket), endpoint, socketLimits(options))
      resolve(connection)
    })
    socket.addEventListener('message', ({ data }: { data: unknown }) => {
      if (data instanceof ArrayBuffer) connection?.handleMessage(new Uint8Array(data))
      else connection?.handleText()
    })
    socket.addEventListener('close', ({ code, reason }: { code: number; reason: string }) => {
      signal?.removeEventListener('abort', onAbort)
      connection?.handleEnd(code, reason)
      reject(new DialError('the peer cannot be reached or refused', { fields: { address, code } }))
    })
    // It carries no cause, and a close event always follows. `ws` demands a listener.
    socket.addEventListener('error', () => undefined)
  })
}

function openSocket(address: string, options: WebSocketOptions): StandardWebSocket {
  // The cast narrows: what the global one's many overloads take includes what is used here.
  const standard = globalThis.WebSocket as unknown as StandardWebSocketClass | undefined
  const Socket = options.webSocket ?? standard
  if (Socket === undefined) {
    throw new DialError('this runtime has no WebSocket: pass one as the option webSocket', {
      retryable: false,
    })
  }
  try {
    const socket = new Socket(address)
    socket.binaryType = 'arraybuffer'
    return socket
  } catch (cause) {
    throw new DialError('the address is not one of a WebSocket', {
      fields: { address },
      retryable: false,
      cause,
    })
  }
}

function faceOf(socket: StandardWebSocket): SocketFace {
  return {
    get queuedBytes() {
      return socket.bufferedAmount
    },
    send: (message) => socket.send(message),
    close: (code, reason) => socket.close(code, reason),
    terminate: (code, reason) => socket.close(permitted(code), reason),
    watchQueue: (onFallen) => {
      setTimeout(onFallen, QUEUE_POLL_MS)
    },
  }
}

// The standard refuses every code but 1000 and those from 3000: close() would throw.
function permitted(code: number): number {
  return code === CLOSE_CODES.normal || code >= 3_000 ? code : CLOSE_CODES.aborted
}
