import type { JsonObject, KubeObject } from '../../kubernetes/objects/types.ts'
import { kubeTime } from '../conditions.ts'
import { asNumber, asObject, asText } from '../json.ts'

/** Something worth telling about an object. */
export interface Occurrence {
  readonly kind: 'Pod' | 'Node'
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly type: 'Normal' | 'Warning'
  /** A word such as `Started`. */
  readonly reason: string
  readonly message: string
  /** The part that it is about, such as `spec.containers{main}`. */
  readonly fieldPath?: string | undefined
}

/** What makes two occurrences the same event, to be counted instead of repeated. */
export function aggregationKey(occurrence: Occurrence): string {
  const { kind, uid, type, reason, message, fieldPath } = occurrence
  return [kind, uid, type, reason, message, fieldPath ?? ''].join('\0')
}

/** A new event, count 1. */
export function newEvent(
  occurrence: Occurrence,
  id: string,
  node: string,
  nowMs: number,
): KubeObject {
  const { kind, namespace, name, uid, fieldPath } = occurrence
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${id}`, namespace },
    involvedObject: {
      apiVersion: 'v1',
      kind,
      ...(kind === 'Node' ? {} : { namespace }),
      name,
      uid,
      ...(fieldPath === undefined ? {} : { fieldPath }),
    },
    reason: occurrence.reason,
    message: occurrence.message,
    type: occurrence.type,
    source: { component: 'edged', host: node },
    firstTimestamp: kubeTime(nowMs),
    lastTimestamp: kubeTime(nowMs),
    count: 1,
    eventTime: null,
    reportingComponent: 'edged',
    reportingInstance: node,
  }
}

/** The same event once more. */
export function repeatedEvent(event: KubeObject, nowMs: number): KubeObject {
  const count = (asNumber(event['count']) ?? 0) + 1
  return { ...event, count, lastTimestamp: kubeTime(nowMs) }
}

/** Whether an event was written by this node's agent. */
export function isFrom(event: JsonObject, node: string): boolean {
  const source = asObject(event['source'])
  return asText(source['component']) === 'edged' && asText(source['host']) === node
}

/** When an event happened last, in milliseconds since the epoch; 0 when it does not say. */
export function lastSeenMs(event: JsonObject): number {
  const parsed = Date.parse(asText(event['lastTimestamp']) ?? '')
  return Number.isNaN(parsed) ? 0 : parsed
}

/** The events that have to go: those that are too old, and the oldest past the number kept. */
export function surplusEvents(
  events: readonly KubeObject[],
  limits: { readonly countMax: number; readonly ageMsMax: number },
  nowMs: number,
): readonly KubeObject[] {
  const newestFirst = [...events].sort((a, b) => lastSeenMs(b) - lastSeenMs(a))
  return newestFirst.filter(
    (event, index) => index >= limits.countMax || nowMs - lastSeenMs(event) > limits.ageMsMax,
  )
}
