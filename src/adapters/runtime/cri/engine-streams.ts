import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import type { Socket } from 'node:net'
import { SpdyConnection } from '../../spdy/connection.ts'
import { RuntimeError } from '../index.ts'
import { readRefusal } from '../read-refusal.ts'

/** How long an engine may take to answer a connection to its streams. */
const ANSWER_MS = 30_000

/** Where streams are served, and with what one proves there who asks. */
export interface StreamPlace {
  /** `http` or `https`. */
  readonly url: string
  /** With `https`: PEM. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
}

/**
 * Connects to the address that an engine gave for a session, and asks for `protocol`. SPDY, because
 * the engine's WebSockets cannot say that an input has ended.
 *
 * @throws RuntimeError `StartFailed` with the words of an engine that refuses, `Unavailable` when it
 * does not answer in time, or without a word.
 */
export function connectStreams(
  { url, tls }: StreamPlace,
  protocol: string,
): Promise<SpdyConnection> {
  return new Promise((resolve, reject) => {
    const refuse = (message: string, cause?: unknown): void =>
      reject(new RuntimeError('Unavailable', `the engine's streams: ${message}`, { cause }))
    const ask = tls === undefined ? request : secureRequest
    const asked = ask(url, {
      ...tls,
      agent: false,
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
      void readRefusal(response).then((text) => {
        if (text === '') refuse(`it answered ${response.statusCode ?? 0}`)
        else reject(new RuntimeError('StartFailed', text))
      })
    })
    asked.on('timeout', () => asked.destroy(new Error('it does not answer')))
    asked.on('error', (error) => refuse(error.message, error))
    asked.end()
  })
}
