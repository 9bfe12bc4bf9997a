import { type ClientHttp2Session, connect } from 'node:http2'
import {
  callHeaders,
  FRAME_HEAD_BYTES,
  frame,
  GRPC,
  type GrpcStatus,
  statusIn,
} from '../../grpc/wire.ts'
import { goDuration } from '../go-duration.ts'
import type { LookResult } from './probe-look.ts'
import { joinHostPort } from './probe-tcp.ts'

const PATH = '/grpc.health.v1.Health/Check'
const STATUS_NAMES: readonly string[] = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']
const SERVING = 1
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
    session.on('error', () => {
      // As long as there is time it may still come: kubelet tries again, and says that at the end.
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
    const headers = { ...callHeaders(PATH, timeoutMs), 'user-agent': 'kube-probe/1.34' }
    const stream = session.request(headers)
    const answer: Buffer[] = []
    let answerBytes = 0
    let status: GrpcStatus | undefined
    stream.on('response', (headers) => {
      status = statusIn(headers)
      const httpStatus = headers[':status']
      if (httpStatus !== 200) status = { code: GRPC.unknown, message: `HTTP ${httpStatus}` }
    })
    stream.on('trailers', (trailers) => {
      status = statusIn(trailers) ?? status
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

function resultOf(status: GrpcStatus | undefined, answer: Buffer, timeoutMs: number): LookResult {
  const { code, message } = status ?? { code: undefined, message: '' }
  const fail = (output: string): LookResult => ({ outcome: 'failure', output })
  if (code === GRPC.unimplemented) {
    const why =
      'error: this server does not implement the grpc health protocol (grpc.health.v1.Health)'
    return fail(`${why}: ${message}`)
  }
  if (code === GRPC.deadlineExceeded) {
    return fail(`timeout: health rpc did not complete within ${goDuration(timeoutMs)}`)
  }
  if (code !== GRPC.ok) {
    const why = code === undefined ? 'the stream ended without a status' : `code = ${code}`
    return fail(`error: health rpc probe failed: rpc error: ${why} desc = ${message}`)
  }
  const serving = servingStatus(answer.subarray(FRAME_HEAD_BYTES))
  if (serving === SERVING) return { outcome: 'success', output: 'service healthy' }
  const name = STATUS_NAMES[serving] ?? String(serving)
  return fail(`service unhealthy (responded with "${name}")`)
}

/** A HealthCheckRequest with its prefix: `service` is its field 1. */
export function checkRequest(service: string): Buffer {
  const text = Buffer.from(service)
  const field = text.length === 0 ? [] : [0x0a, ...varint(text.length), ...text]
  return frame(Buffer.from(field))
}

/** The status in a HealthCheckResponse: its field 1, an enumeration; 0 when it is not there. */
export function servingStatus(message: Uint8Array): number {
  return message[0] === 0x08 ? (message[1] ?? 0) : 0
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]
}
