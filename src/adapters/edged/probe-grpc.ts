import { type ClientHttp2Session, connect } from 'node:http2'
import { goDuration } from './container-status.ts'
import type { LookResult } from './probe-look.ts'
import { connectProblem, joinHostPort } from './probe-tcp.ts'

const PATH = '/grpc.health.v1.Health/Check'
const STATUS_NAMES: readonly string[] = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']
const SERVING = 1
const UNKNOWN = 2
const UNIMPLEMENTED = 12
const DEADLINE_EXCEEDED = 4
/** A message is preceded by one byte of flags and four of length. */
const PREFIX_BYTES = 5
const ANSWER_BYTES_MAX = 4096

/** Asks a container's grpc.health.v1.Health service about `service`: SERVING is success. */
export function grpcLook(
  host: string,
  port: number,
  service: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<LookResult> {
  return new Promise((resolve) => {
    const address = joinHostPort(host, port)
    const session = connect(`http://${address}`)
    const finish = (result: LookResult): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onLate)
      session.destroy()
      resolve(result)
    }
    const fail = (output: string): void => finish({ outcome: 'failure', output })
    let isConnected = false
    const onLate = (): void => {
      const within = goDuration(timeoutMs)
      fail(
        isConnected
          ? `timeout: health rpc did not complete within ${within}`
          : `timeout: failed to connect service "${address}" within ${within}: context deadline exceeded`,
      )
    }
    const timer = setTimeout(onLate, timeoutMs)
    signal.addEventListener('abort', onLate, { once: true })
    session.once('connect', () => {
      isConnected = true
      call(session, service, timeoutMs).then(finish, (error: Error) =>
        fail(`error: health rpc probe failed: ${error.message}`),
      )
    })
    session.on('error', (error) => {
      fail(`error: failed to connect service at "${address}": ${connectProblem(error)}`)
    })
  })
}

/** @throws Error when the connection breaks. */
function call(
  session: ClientHttp2Session,
  service: string,
  timeoutMs: number,
): Promise<LookResult> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.34',
      'grpc-timeout': `${Math.ceil(timeoutMs)}m`,
    })
    const answer: Buffer[] = []
    let answerBytes = 0
    let status: GrpcStatus = { code: undefined, message: '' }
    stream.on('response', (headers) => {
      status = statusOf(headers, status)
      const httpStatus = headers[':status']
      if (httpStatus !== 200) status = { code: UNKNOWN, message: `HTTP ${httpStatus}` }
    })
    stream.on('trailers', (trailers) => {
      status = statusOf(trailers, status)
    })
    stream.on('data', (piece: Buffer) => {
      answerBytes += piece.length
      if (answerBytes <= ANSWER_BYTES_MAX) answer.push(piece)
    })
    stream.on('error', reject)
    stream.once('close', () => resolve(resultOf(status, Buffer.concat(answer), timeoutMs)))
    stream.end(checkRequest(service))
  })
}

/** How a call ended; no code when its end was not told. */
interface GrpcStatus {
  readonly code: number | undefined
  readonly message: string
}

function statusOf(headers: object, before: GrpcStatus): GrpcStatus {
  const fields = headers as Readonly<Record<string, unknown>>
  const code = fields['grpc-status']
  if (code === undefined) return before
  return { code: Number(code), message: decodeMessage(String(fields['grpc-message'] ?? '')) }
}

/** Bytes outside of printable ASCII travel as `%XX`. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function resultOf(status: GrpcStatus, answer: Buffer, timeoutMs: number): LookResult {
  const { code, message } = status
  const fail = (output: string): LookResult => ({ outcome: 'failure', output })
  if (code === UNIMPLEMENTED) {
    const why =
      'error: this server does not implement the grpc health protocol (grpc.health.v1.Health)'
    return fail(`${why}: ${message}`)
  }
  if (code === DEADLINE_EXCEEDED) {
    return fail(`timeout: health rpc did not complete within ${goDuration(timeoutMs)}`)
  }
  if (code !== 0) {
    const why = code === undefined ? 'the stream ended without a status' : `code = ${code}`
    return fail(`error: health rpc probe failed: rpc error: ${why} desc = ${message}`)
  }
  const serving = servingStatus(answer.subarray(PREFIX_BYTES))
  if (serving === SERVING) return { outcome: 'success', output: 'service healthy' }
  const name = STATUS_NAMES[serving] ?? String(serving)
  return fail(`service unhealthy (responded with "${name}")`)
}

/** A HealthCheckRequest with its prefix: `service` is its field 1. */
export function checkRequest(service: string): Buffer {
  const text = Buffer.from(service)
  const field = text.length === 0 ? [] : [0x0a, ...varint(text.length), ...text]
  const prefix = Buffer.alloc(PREFIX_BYTES)
  prefix.writeUInt32BE(field.length, 1)
  return Buffer.concat([prefix, Buffer.from(field)])
}

/** The status in a HealthCheckResponse: its field 1, an enumeration; 0 when it is not there. */
export function servingStatus(message: Uint8Array): number {
  return message[0] === 0x08 ? (message[1] ?? 0) : 0
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]
}
