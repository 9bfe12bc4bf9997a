import type { ServerResponse } from 'node:http'
import type { KubeObject, LogRequest, PodLogs } from '../objects/types.ts'
import { textAt } from './json.ts'
import { containerOf } from './pod-container.ts'
import { isTrue, wholeNumber } from './request.ts'
import { badRequest, invalid } from './status.ts'

/**
 * Reads the query of `GET pods/NAME/log`.
 *
 * @returns undefined for a pod that no node has yet, and that has no log therefore.
 * @throws StatusError: 400 when no container or one that is not in the pod is named, 422 for
 * numbers out of range.
 */
export function logRequest(
  pod: KubeObject,
  query: URLSearchParams,
  signal: AbortSignal,
): LogRequest | undefined {
  const name = pod.metadata.name
  const tailLines = wholeNumber(query, 'tailLines')
  const limitBytes = wholeNumber(query, 'limitBytes')
  const sinceSeconds = wholeNumber(query, 'sinceSeconds')
  const sinceTime = query.get('sinceTime') ?? undefined
  if (sinceTime !== undefined && Number.isNaN(Date.parse(sinceTime))) {
    const shown = JSON.stringify(sinceTime.slice(0, 64))
    throw badRequest(
      `parsing time ${shown} as "2006-01-02T15:04:05Z07:00": cannot parse ${shown} as "2006"`,
    )
  }
  const causes = [
    ...atLeast('tailLines', tailLines, 0),
    ...atLeast('limitBytes', limitBytes, 1),
    ...atLeast('sinceSeconds', sinceSeconds, 1),
    ...(sinceSeconds !== undefined && sinceTime !== undefined
      ? [
          {
            reason: 'FieldValueForbidden' as const,
            field: 'sinceSeconds',
            message: 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
          },
        ]
      : []),
  ]
  if (causes.length > 0) throw invalid('PodLogOptions', '', name, causes)
  // In this order, as kube-apiserver does.
  const container = containerOf(pod, query.get('container') ?? '')
  if (textAt(pod, 'spec', 'nodeName') === '') return undefined
  return {
    namespace: pod.metadata.namespace ?? '',
    pod: name,
    container,
    follow: isTrue(query.get('follow')),
    previous: isTrue(query.get('previous')),
    timestamps: isTrue(query.get('timestamps')),
    tailLines,
    limitBytes,
    sinceSeconds,
    sinceTime,
    signal,
  }
}

function atLeast(
  field: string,
  value: number | undefined,
  min: number,
): readonly { reason: 'FieldValueInvalid'; field: string; message: string }[] {
  if (value === undefined || value >= min) return []
  return [
    {
      reason: 'FieldValueInvalid',
      field,
      message: `Invalid value: ${value}: must be greater than ${min === 0 ? 'or equal to ' : ''}0`,
    },
  ]
}

/**
 * Sends a log until it ends or the client leaves, no faster than the client reads.
 *
 * @throws what `logs` throws, before anything is sent.
 */
export async function sendLog(
  logs: PodLogs,
  request: LogRequest,
  response: ServerResponse,
): Promise<void> {
  const pieces = await logs.open(request)
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Cache-Control': 'no-cache, private' })
  response.flushHeaders()
  for await (const piece of pieces) {
    if (request.signal.aborted || response.destroyed) break
    if (!response.write(piece)) await writable(response, request.signal)
  }
  response.end()
}

function writable(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off('drain', settle)
      response.off('close', settle)
      signal.removeEventListener('abort', settle)
      resolve()
    }
    response.once('drain', settle)
    response.once('close', settle)
    signal.addEventListener('abort', settle, { once: true })
    if (signal.aborted || response.destroyed) settle()
  })
}
