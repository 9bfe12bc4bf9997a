import { DialError } from '../../core/errors.ts'
import type { AbortOptions } from '../../core/interfaces/abort.ts'
import type { Connection, Transport } from '../../core/interfaces/transport.ts'
import { CLOSE_CODES } from './close-codes.ts'
import { SocketConnection } from './connection.ts'
import { type SocketLimitOptions, socketLimits } from './socket-limits.ts'
import { StandardSocketFace, type StandardWebSocket } from './standard-socket.ts'

export type { SocketLimitOptions, StandardWebSocket }
export { CLOSE_CODES }

/** Opens one socket each time that it is constructed. */
export type StandardWebSocketClass = new (address: string) => StandardWebSocket

/** Options of {@link webSocket}. */
export interface WebSocketOptions extends SocketLimitOptions {
  /** The WebSocket class. Default: the global one. */
  readonly webSocket?: StandardWebSocketClass | undefined
}

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
    const face = new StandardSocketFace(socket)
    let connection: SocketConnection | undefined
    const onAbort = () => {
      // A browser may open the socket after all; the open listener then finds the signal aborted.
      socket.close()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    socket.onopen = () => {
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
      connection = new SocketConnection(face, endpoint, socketLimits(options))
      resolve(connection)
    }
    socket.onmessage = ({ data }: { readonly data: unknown }) => {
      if (data instanceof ArrayBuffer) connection?.handleMessage(new Uint8Array(data))
      else connection?.handleText()
      face.look()
    }
    socket.onclose = ({ code, reason }: { readonly code: number; readonly reason: string }) => {
      signal?.removeEventListener('abort', onAbort)
      face.stop()
      connection?.handleEnd(code, reason)
      reject(new DialError('the peer cannot be reached or refused', { fields: { address, code } }))
    }
    // It carries no cause, and a close event always follows. `ws` demands a listener.
    socket.onerror = () => undefined
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
