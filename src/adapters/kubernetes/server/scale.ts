import type { JsonObject, KubeObject } from '../objects/types.ts'
import type { ObjectBody } from './body.ts'
import { fieldsOfPath, type ScalePaths } from './custom/scale-paths.ts'
import { at, isObject, numberAt, objectAt, textAt, withField } from './json.ts'
import { applyJsonPatch } from './patch/json-patch.ts'
import { applyMergePatch } from './patch/merge-patch.ts'
import { decodeTyped } from './schema/decode.ts'
import { kindType } from './schema/schema.ts'
import { badRequest, invalid } from './status.ts'
import { selectorText } from './table/selector-text.ts'

/** The scale of an object that has replicas (autoscaling/v1 Scale). */
export function scaleOf(object: KubeObject, paths?: ScalePaths): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const replicas = replicasOf(object, paths) ?? 0
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: numberAt(object, ...fieldsOfPath(paths?.status ?? '.status.replicas')) ?? 0,
      selector:
        paths === undefined
          ? selectorText(at(object, 'spec', 'selector'))
          : customSelector(object, paths),
    },
  }
}

/** How many replicas an object wants; undefined where it does not say. */
export function replicasOf(object: KubeObject, paths?: ScalePaths): number | undefined {
  return numberAt(object, ...fieldsOfPath(paths?.spec ?? '.spec.replicas'))
}

/** Absent where it says nothing, as JSON leaves undefined out. */
function customSelector(object: KubeObject, { selector }: ScalePaths): string | undefined {
  return (selector === '' ? '' : textAt(object, ...fieldsOfPath(selector))) || undefined
}

/**
 * The object with the replicas of a Scale.
 *
 * @throws StatusError: 400 when it is not a Scale, 422 when the number is not allowed.
 */
export function withScale(
  object: KubeObject,
  body: ObjectBody['value'],
  paths?: ScalePaths,
): KubeObject {
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
  // What a definition says of them is checked with the object.
  if (replicas < 0 && paths === undefined) {
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
  const place = fieldsOfPath(paths?.spec ?? '.spec.replicas')
  return withField({ ...object, metadata }, place, replicas) as KubeObject
}

/** The Scale of an object after a patch. */
export function patchedScale(
  object: KubeObject,
  patch: JsonObject[string],
  isJsonPatch: boolean,
  paths?: ScalePaths,
): JsonObject {
  const scale = JSON.parse(JSON.stringify(scaleOf(object, paths))) as JsonObject
  const patched = isJsonPatch
    ? applyJsonPatch(scale, patch ?? null)
    : applyMergePatch(scale, patch ?? null)
  if (!isObject(patched)) throw badRequest('the patch does not leave a Scale')
  return patched
}
