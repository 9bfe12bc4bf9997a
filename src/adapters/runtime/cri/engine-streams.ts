import { request } from 'node:http'
import type { Socket } from 'node:net'
import { SpdyConnection } from '../../spdy/connection.ts'
import { RuntimeError } from '../index.ts'

/** How long an engine may take to answer a connection to its streams. */
const ANSWER_MS = 30_000

/**
 * Connects to the address that an engine gave for a session, and asks for `protocol`. SPDY, because
 * the engine's WebSockets cannot say that an input has ended.
 *
 * @throws RuntimeError `Unavailable` when the engine refuses, or does not answer in time.
 */
export function connectStreams(url: string, protocol: string): Promise<SpdyConnection> {
  return new Promise((resolve, reject) => {
    const refuse = (message: string, cause?: unknown): void =>
      reject(new RuntimeError('Unavailable', `the engine's streams: ${message}`, { cause }))
    const asked = request(url, {
      method: 'POST',
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'SPDY/3.1',
        'X-Stream-Protocol-Version': protocol,
      },
      timeout: ANSWER_MS,
    })
    asked.on('upgrade', (_response, socket: Socket, head: Buffer) => {
      if (head.length > 0) socket.unshift(head)
      socket.setTimeout(0)
      socket.setNoDelay(true)
      const connection = new SpdyConnection({
        socket,
        role: 'client',
        accept: () => false,
        onActivity: () => undefined,
      })
      resolve(connection)
    })
    asked.on('response', (response) => {
      response.resume()
      refuse(`it answered ${response.statusCode ?? 0}`)
    })
    asked.on('timeout', () => asked.destroy(new Error('it does not answer')))
    asked.on('error', (error) => refuse(error.message, error))
    asked.end()
  })
}
