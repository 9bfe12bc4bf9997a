import type { JsonObject, KubeObject } from '../objects/types.ts'
import type { ObjectBody } from './body.ts'
import { at, isObject, numberAt, objectAt, textAt } from './json.ts'
import { applyJsonPatch } from './patch/json-patch.ts'
import { applyMergePatch } from './patch/merge-patch.ts'
import { decodeTyped } from './schema/decode.ts'
import { kindType } from './schema/schema.ts'
import { badRequest, invalid } from './status.ts'
import { selectorText } from './table/selector-text.ts'

/** The scale of an object that has replicas (autoscaling/v1 Scale). */
export function scaleOf(object: KubeObject): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const replicas = numberAt(object, 'spec', 'replicas') ?? 0
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: numberAt(object, 'status', 'replicas') ?? 0,
      selector: selectorText(at(object, 'spec', 'selector')),
    },
  }
}

/**
 * The object with the replicas of a Scale.
 *
 * @throws StatusError: 400 when it is not a Scale, 422 when the number is not allowed.
 */
export function withScale(object: KubeObject, body: ObjectBody['value']): KubeObject {
  const kind = textAt(body, 'kind')
  if (kind !== '' && kind !== 'Scale') throw badRequest(`${kind} cannot be handled as a Scale`)
  const type = kindType('autoscaling', 'Scale')
  const scale = type === undefined ? body : decodeTyped(type, body).value
  const name = object.metadata.name
  const given = textAt(scale, 'metadata', 'name')
  if (given !== '' && given !== name) {
    throw badRequest(
      `the name of the object (${given}) does not match the name on the URL (${name})`,
    )
  }
  const replicas = numberAt(scale, 'spec', 'replicas') ?? 0
  if (replicas < 0) {
    throw invalid('Scale', 'autoscaling', name, [
      {
        reason: 'FieldValueInvalid',
        field: 'spec.replicas',
        message: `Invalid value: ${replicas}: must be greater than or equal to 0`,
      },
    ])
  }
  const { resourceVersion, uid } = objectAt(scale, 'metadata') as {
    resourceVersion?: string
    uid?: string
  }
  const metadata = {
    ...object.metadata,
    resourceVersion: resourceVersion ?? '',
    uid: uid ?? object.metadata.uid ?? '',
  }
  return { ...object, metadata, spec: { ...objectAt(object, 'spec'), replicas } }
}

/** The Scale of an object after a patch. */
export function patchedScale(
  object: KubeObject,
  patch: JsonObject[string],
  isJsonPatch: boolean,
): JsonObject {
  const scale = JSON.parse(JSON.stringify(scaleOf(object))) as JsonObject
  const patched = isJsonPatch
    ? applyJsonPatch(scale, patch ?? null)
    : applyMergePatch(scale, patch ?? null)
  if (!isObject(patched)) throw badRequest('the patch does not leave a Scale')
  return patched
}
