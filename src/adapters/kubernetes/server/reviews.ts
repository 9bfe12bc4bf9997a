import type { JsonObject } from '../objects/types.ts'
import type { User } from './context.ts'
import { at, isObject, objectAt, textAt } from './json.ts'
import { decodeTyped } from './schema/decode.ts'
import type { StructType } from './schema/schema.ts'

/** What a user asks to do, for an authorizer. */
export interface Attributes {
  readonly verb: string
  readonly group: string
  readonly version: string
  /** The plural, empty for a path that is no resource. */
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  /** Set for a path that is no resource. */
  readonly path: string
}

/** What a SelfSubjectAccessReview asks. */
export function reviewedAttributes(type: StructType, body: JsonObject): Attributes {
  const spec = objectAt(decodeTyped(type, body).value, 'spec')
  const resource = objectAt(spec, 'resourceAttributes')
  const other = objectAt(spec, 'nonResourceAttributes')
  const isPath = isObject(at(spec, 'nonResourceAttributes'))
  return {
    verb: textAt(isPath ? other : resource, 'verb'),
    group: textAt(resource, 'group'),
    version: textAt(resource, 'version'),
    resource: textAt(resource, 'resource'),
    subresource: textAt(resource, 'subresource'),
    namespace: textAt(resource, 'namespace'),
    name: textAt(resource, 'name'),
    path: textAt(other, 'path'),
  }
}

/** The answer to a SelfSubjectAccessReview. */
export function accessReview(body: JsonObject, reason: string | undefined): JsonObject {
  return {
    kind: 'SelfSubjectAccessReview',
    apiVersion: 'authorization.k8s.io/v1',
    metadata: { creationTimestamp: null },
    spec: objectAt(body, 'spec'),
    status: { allowed: reason === undefined, ...(reason === undefined ? {} : { reason }) },
  }
}

/** The answer to a SelfSubjectReview: who one is. */
export function subjectReview(user: User, time: string): JsonObject {
  return {
    kind: 'SelfSubjectReview',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { creationTimestamp: time },
    status: { userInfo: { username: user.name, groups: user.groups } },
  }
}
