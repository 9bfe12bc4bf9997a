import type { LogRequest } from 'tideway/adapters/kubernetes/objects'
import { parseObject } from './parse-object.ts'

/** The protocol of streams that carry the log of a container. */
export const LOG_PROTOCOL = 'logs/v1'

/** What a log stream begins with, as JSON: the request without its signal. */
export type LogHead = Omit<LogRequest, 'signal'>

/** The first byte of a log stream: the log follows, or why there is none as JSON. */
export const LOG_FOLLOWS = 1
export const LOG_REFUSED = 0

export function encodeLogHead({ signal: _, ...head }: LogRequest): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(head))
}

/** Reads the head of a stream; undefined when it is none. */
export function decodeLogHead(bytes: Uint8Array): LogHead | undefined {
  const value = parseObject(bytes)
  if (value === undefined) return undefined
  const { namespace, pod, container, follow, previous, timestamps, sinceTime } = value
  const texts = [namespace, pod, container].every((text) => typeof text === 'string')
  const flags = [follow, previous, timestamps].every((flag) => typeof flag === 'boolean')
  const counts = ['tailLines', 'limitBytes', 'sinceSeconds'].every((key) => isCount(value[key]))
  if (!texts || !flags || !counts) return undefined
  if (sinceTime !== undefined && typeof sinceTime !== 'string') return undefined
  return value as unknown as LogHead
}

/** Why there is no log, as the reader of the stream is told. */
export interface LogRefusal {
  readonly reason: string
  readonly message: string
}

export function encodeRefusal(refusal: LogRefusal): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(refusal))
  return Uint8Array.from([LOG_REFUSED, ...json])
}

export function decodeRefusal(bytes: Uint8Array): LogRefusal {
  const value = parseObject(bytes) ?? {}
  const { reason, message } = value
  return {
    reason: typeof reason === 'string' ? reason : 'ServiceUnavailable',
    message: typeof message === 'string' ? message : 'the node gave no reason',
  }
}

function isCount(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && Number(value) >= 0)
}
