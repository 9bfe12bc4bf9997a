import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import { stringify } from 'yaml'
import type { Json, JsonObject } from '../objects/types.ts'
import { isObject, numberAt } from './json.ts'
import type { Answer } from './negotiate.ts'
import {
  endInTime,
  type Patience,
  PIECE_BYTES,
  type PiecedBody,
  sendPieces,
  wholeOf,
  written,
} from './pieces.ts'
import { encodeProtobuf, PROTOBUF } from './protobuf/encode.ts'
import { isTrue } from './request.ts'

const compress = promisify(gzip)

/** Bodies below this many bytes are sent as they are: compressing them costs more than it saves. */
const COMPRESSED_BYTES_MIN = 32 * 1024

/** An answer that is complete. */
export interface Reply {
  readonly code: number
  readonly contentType: string
  /** Empty where the answer is `bytes` or `body`. */
  readonly text: string
  readonly bytes?: Uint8Array
  /** An answer that may be long. */
  readonly body?: PiecedBody
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * A JSON value as an answer, or as YAML or protobuf where the client prefers it. What has no protobuf
 * form is sent as JSON: clients read what the Content-Type says.
 */
export function replyWith(value: Json, code = 200, format: Answer['format'] = 'json'): Reply {
  if (format === 'protobuf') {
    const bytes = isObject(value) ? encodeProtobuf(value) : undefined
    if (bytes !== undefined) return { code, contentType: PROTOBUF, text: '', bytes }
  }
  if (format === 'yaml') return { code, contentType: 'application/yaml', text: stringify(value) }
  return { code, contentType: 'application/json', text: `${JSON.stringify(value)}\n` }
}

/** Programs with which people look at answers: they get them easy to read unless they say. */
const READERS = /^(?:curl|Wget|Mozilla\/5\.0)/

/** A JSON answer with line breaks and indents, where the client asks for it. */
export function prettied(reply: Reply, request: IncomingMessage): Reply {
  if (reply.contentType !== 'application/json') return reply
  const query = new URLSearchParams(request.url?.split('?')[1] ?? '')
  const isAsked = query.has('pretty')
    ? isTrue(query.get('pretty'))
    : READERS.test(request.headers['user-agent'] ?? '')
  if (!isAsked) return reply
  const { body, bytes, ...rest } = reply
  const text = body === undefined ? bytes : wholeOf(body)
  const whole = text === undefined ? reply.text : Buffer.from(text).toString('utf8')
  if (whole === '') return reply
  return { ...rest, text: JSON.stringify(JSON.parse(whole), undefined, 2) }
}

/** A plain text as an answer. */
export function replyText(text: string, code = 200): Reply {
  return { code, contentType: 'text/plain; charset=utf-8', text }
}

/** A Status as an answer. */
export function replyStatus(
  { code, body }: { readonly code: number; readonly body: JsonObject },
  format: Answer['format'] = 'json',
): Reply {
  const seconds = numberAt(body, 'details', 'retryAfterSeconds')
  const headers = seconds === undefined ? {} : { 'Retry-After': String(seconds) }
  return { ...replyWith(body, code, format), headers }
}

/**
 * Sends an answer, compressed where the client takes it and it is worth it. A connection whose reader
 * takes nothing of it is cut.
 */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  patience: Patience,
): Promise<void> {
  if (response.destroyed || response.headersSent) return
  if (reply.contentType !== '') response.setHeader('Content-Type', reply.contentType)
  response.setHeader('Cache-Control', 'no-cache, private')
  response.setHeader('Vary', 'Accept, Accept-Encoding')
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value)
  const takesZip = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))
  if (reply.body !== undefined && request.method !== 'HEAD') {
    const zips = (length: number): boolean => takesZip && length >= COMPRESSED_BYTES_MIN
    return await sendPieces(response, reply.code, reply.body, zips, patience)
  }
  let body: Uint8Array = reply.bytes ?? Buffer.from(reply.text)
  if (takesZip && body.length >= COMPRESSED_BYTES_MIN) {
    body = await compress(body, { level: constants.Z_BEST_SPEED })
    response.setHeader('Content-Encoding', 'gzip')
  }
  if (response.destroyed) return
  if (reply.code !== 204) response.setHeader('Content-Length', body.length)
  response.writeHead(reply.code)
  if (request.method === 'HEAD') return endInTime(response, response, patience)
  let at = 0
  for (; body.length - at > PIECE_BYTES && !response.destroyed; at += PIECE_BYTES)
    await written(response, body.subarray(at, at + PIECE_BYTES), response, patience)
  const last = body.subarray(at)
  endInTime({ end: () => response.end(last) }, response, patience)
}
