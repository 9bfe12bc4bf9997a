import {
  type Json,
  type JsonObject,
  ObjectError,
  type ObjectErrorReason,
} from '../objects/types.ts'
import type { Cause } from './kinds/checks.ts'

/** The reasons that only the HTTP layer gives, beside those of a store (metav1.StatusReason). */
export type StatusReason =
  | ObjectErrorReason
  | 'Unauthorized'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'UnsupportedMediaType'
  | 'Timeout'
  | 'TooManyRequests'
  | 'InternalError'
  | 'Unknown'

/** What is known of the object that a Status is about (metav1.StatusDetails). */
export interface StatusDetails {
  readonly name?: string | undefined
  readonly group?: string | undefined
  /** The plural of the resource, or the kind for `Invalid`. */
  readonly kind?: string | undefined
  readonly uid?: string | undefined
  readonly causes?: readonly (Pick<Cause, 'message'> & Partial<Cause>)[]
  readonly retryAfterSeconds?: number | undefined
}

/** A refusal by the HTTP layer, answered as a Status of the API. */
export class StatusError extends Error {
  readonly code: number
  readonly reason: StatusReason
  readonly details: StatusDetails | undefined

  constructor(reason: StatusReason, message: string, details?: StatusDetails) {
    super(message)
    this.name = 'StatusError'
    this.code = CODES[reason]
    this.reason = reason
    this.details = details
  }
}

const CODES: Readonly<Record<StatusReason, number>> = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  Unknown: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
}

/** A refusal whose Status somebody else wrote, such as a webhook: answered as it is. */
export class GivenStatusError extends StatusError {
  readonly status: JsonObject

  /** @param status a whole Status of `v1`, with a code. */
  constructor(status: JsonObject) {
    super('Unknown', String(status['message'] ?? ''))
    this.name = 'GivenStatusError'
    this.status = status
  }
}

/** The resource that a refusal names: `pods`, `replicasets.apps`. */
export interface NamedResource {
  readonly plural: string
  readonly group: string
  readonly kind: string
}

/** `pods` or `replicasets.apps`, as messages write it. */
export function resourceText(resource: {
  readonly plural: string
  readonly group: string
}): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`
}

function detailsOf(resource: NamedResource, name: string): StatusDetails {
  return { name, group: resource.group, kind: resource.plural }
}

/** 404 for an object. */
export function notFound(resource: NamedResource, name: string): StatusError {
  return new StatusError(
    'NotFound',
    `${resourceText(resource)} "${name}" not found`,
    detailsOf(resource, name),
  )
}

/** 404 for a path below /api or /apis that no resource is served at. */
export function unknownResource(): StatusError {
  return new StatusError('NotFound', 'the server could not find the requested resource', {})
}

/** 409 when a precondition does not hold. */
export function conflict(resource: NamedResource, name: string, why: string): StatusError {
  return new StatusError(
    'Conflict',
    `Operation cannot be fulfilled on ${resourceText(resource)} "${name}": ${why}`,
    detailsOf(resource, name),
  )
}

/** 409 when an object is no longer the one that a writer had seen. */
export function modified(resource: NamedResource, name: string): StatusError {
  return conflict(
    resource,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  )
}

/** The message of a 403: about an object, a resource, or a path that is neither. */
export function forbiddenText(plural: string, group: string, name: string, why: string): string {
  if (plural === '') return `forbidden: ${why}`
  const what = resourceText({ plural, group })
  return name === '' ? `${what} is forbidden: ${why}` : `${what} "${name}" is forbidden: ${why}`
}

/** 403 for one operation on one object. */
export function forbidden(resource: NamedResource, name: string, why: string): StatusError {
  return new StatusError(
    'Forbidden',
    `${resourceText(resource)} "${name}" is forbidden: ${why}`,
    detailsOf(resource, name),
  )
}

/** 422 with one cause a field. */
export function invalid(
  kind: string,
  group: string,
  name: string,
  causes: readonly Cause[],
): StatusError {
  const texts = causes.map((cause) => `${cause.field}: ${cause.message}`)
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  const what = group === '' ? kind : `${kind}.${group}`
  return new StatusError('Invalid', `${what} "${name}" is invalid: ${list}`, {
    name,
    group,
    kind,
    causes,
  })
}

/** 400 with a message as it stands. */
export function badRequest(message: string): StatusError {
  return new StatusError('BadRequest', message)
}

/** 429, to be tried again in a second. */
export function tooManyRequests(message: string): StatusError {
  return new StatusError('TooManyRequests', message, { retryAfterSeconds: 1 })
}

/**
 * 500 without a reason: what kube-apiserver answers where it did not expect what a client sent. Only
 * for requests where clients see just that.
 */
export function unexpected(message: string): StatusError {
  return new StatusError('Unknown', message)
}

/** Looks up what is served, to say `pods` where a store says only a key. */
export type ResourceLookup = (id: string) => NamedResource | undefined

/**
 * Any failure as the Status to answer with. Of what is not a refusal, nothing is told but that it
 * happened.
 */
export function toStatus(
  error: unknown,
  lookup: ResourceLookup,
): { code: number; body: JsonObject } {
  if (error instanceof GivenStatusError)
    return { code: Number(error.status['code']), body: error.status }
  if (error instanceof StatusError)
    return statusOf(error.code, error.reason, error.message, error.details)
  if (error instanceof ObjectError) {
    const resource = error.key === undefined ? undefined : lookup(error.key.resource)
    const isInvalid = error.reason === 'Invalid'
    // No retryAfterSeconds, not even when a node is away or the disk is full: kubectl would try ten
    // times in silence before it says why.
    const details: StatusDetails = {
      name: error.key?.name,
      group: resource?.group,
      kind: isInvalid ? resource?.kind : resource?.plural,
      ...(error.causes.length === 0 ? {} : { causes: error.causes }),
    }
    return statusOf(CODES[error.reason], error.reason, error.message, details)
  }
  return statusOf(
    500,
    'InternalError',
    'Internal error occurred: the request could not be completed',
    {
      causes: [
        { reason: 'InternalError', message: 'unexpected failure; the log of the server has more' },
      ],
    },
  )
}

function statusOf(
  code: number,
  reason: StatusReason,
  message: string,
  details: StatusDetails | undefined,
): { code: number; body: JsonObject } {
  const body: JsonObject = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    ...(reason === 'Unknown' ? {} : { reason }),
    ...(details === undefined ? {} : { details: prune(details) }),
    code,
  }
  return { code, body }
}

/** The Status of a success, as DELETE answers when the object is gone. */
export function successStatus(
  resource: NamedResource,
  name: string,
  uid: string | undefined,
): JsonObject {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: prune({ name, group: resource.group, kind: resource.plural, uid }),
  }
}

function prune(details: StatusDetails): JsonObject {
  const out: Record<string, Json> = {}
  for (const [key, value] of Object.entries(details)) {
    if (value !== undefined && value !== '') out[key] = value as Json
  }
  return out
}
