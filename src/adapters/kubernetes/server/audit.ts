import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Attributes } from '../identity/attributes.ts'
import type { Json, JsonObject } from '../objects/types.ts'
import type { User } from './context.ts'

/** What becomes known of a request while it is answered. */
export interface AuditTrail {
  user?: User
  impersonated?: User
  attributes?: Attributes
  /** Why it was allowed. */
  reason?: string
  /** What others said of it. */
  annotations?: Readonly<Record<string, string>>
}

/** Takes one event of `audit.k8s.io/v1` for each request that was answered. */
export type AuditSink = (event: JsonObject) => void

/** Adds a note on a request to what is told of it. */
export function annotate(trail: AuditTrail, key: string, value: string): void {
  trail.annotations = { ...trail.annotations, [key]: value }
}

/** A longer text of a client is cut: an audit log is no place to store things in. */
const TEXT_CHARACTERS_MAX = 1_024

/**
 * Tells a sink about a request when its answer is complete: who did what, when, and what came of it.
 * What a request or its answer holds is not told.
 *
 * @returns what to fill in meanwhile.
 */
export function audited(
  request: IncomingMessage,
  response: ServerResponse,
  clock: Clock,
  sink: AuditSink,
): AuditTrail {
  const id = randomUUID()
  const receivedMs = clock.wallMs()
  const trail: AuditTrail = {}
  response.setHeader('Audit-Id', id)
  // Also when the client left before the end, as it does with a watch.
  response.once('close', () => {
    sink(eventOf(request, response, trail, { id, receivedMs, endMs: clock.wallMs() }))
  })
  return trail
}

function eventOf(
  request: IncomingMessage,
  response: ServerResponse,
  { user, impersonated, attributes, reason, annotations }: AuditTrail,
  { id, receivedMs, endMs }: { id: string; receivedMs: number; endMs: number },
): JsonObject {
  const { statusCode } = response
  const decision = reason === undefined ? undefined : statusCode === 403 ? 'forbid' : 'allow'
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: id,
    stage: 'ResponseComplete',
    requestURI: cut(request.url ?? ''),
    verb: attributes?.verb ?? (request.method ?? '').toLowerCase(),
    user: user === undefined ? {} : userJson(user),
    ...(impersonated === undefined ? {} : { impersonatedUser: userJson(impersonated) }),
    sourceIPs: [request.socket.remoteAddress ?? ''],
    userAgent: cut(request.headers['user-agent'] ?? ''),
    ...(attributes === undefined || attributes.resource === ''
      ? {}
      : { objectRef: referenceOf(attributes) }),
    responseStatus: { metadata: {}, code: statusCode },
    requestReceivedTimestamp: microTime(receivedMs),
    stageTimestamp: microTime(endMs),
    ...(decision === undefined
      ? {}
      : {
          annotations: {
            ...annotations,
            'authorization.k8s.io/decision': decision,
            'authorization.k8s.io/reason': reason ?? '',
          },
        }),
  }
}

/** A user as the API writes it (authentication.k8s.io/v1 UserInfo). */
export function userJson({ name, uid, groups, extra }: User): JsonObject {
  const hasExtra = extra !== undefined && Object.keys(extra).length > 0
  return {
    username: name,
    ...(uid === undefined || uid === '' ? {} : { uid }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(hasExtra ? { extra: extra as Readonly<Record<string, readonly Json[]>> } : {}),
  }
}

function referenceOf(attributes: Attributes): JsonObject {
  const { resource, subresource, namespace, name, group, version } = attributes
  const fields = { resource, namespace, name, apiGroup: group, apiVersion: version, subresource }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''))
}

/** The time as metav1.MicroTime writes it. */
function microTime(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, 23)}000Z`
}

function cut(text: string): string {
  return text.length > TEXT_CHARACTERS_MAX ? `${text.slice(0, TEXT_CHARACTERS_MAX)}...` : text
}
