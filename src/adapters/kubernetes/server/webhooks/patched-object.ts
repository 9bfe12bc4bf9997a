import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { apiVersionOf, type Served } from '../catalog.ts'
import { decodeCustom } from '../custom/custom-kind.ts'
import { isObject, objectAt, textAt } from '../json.ts'
import { applyDefaults } from '../kinds/defaults.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { decodeTyped } from '../schema/decode.ts'
import { StatusError } from '../status.ts'
import { internalError } from './webhook-errors.ts'

/**
 * What the patch of a webhook leaves of an object, read and completed as if a client had sent it. Fields
 * that the kind does not have are dropped.
 *
 * @param served the version in which the webhook saw the object.
 * @throws StatusError 500 when the patch does not apply, or leaves no object of the kind: the client can
 * do nothing about it.
 */
export function patchedObject(
  webhook: string,
  served: Served,
  object: JsonObject,
  patch: Json,
): KubeObject {
  const patched = patchedJson(webhook, object, patch)
  const apiVersion = apiVersionOf(served)
  const found = [textAt(patched, 'apiVersion'), textAt(patched, 'kind')]
  if (found[0] !== apiVersion || found[1] !== served.kind)
    throw broken(webhook, `it is of ${found.join(' ')} now`)
  try {
    const { value } =
      served.custom === undefined
        ? decodeTyped(served.type, patched)
        : decodeCustom(served.custom, patched, false)
    const metadata = objectAt(value, 'metadata')
    const whole = { ...value, apiVersion, kind: served.kind, metadata } as KubeObject
    const kept = served.conversion?.toKept(whole) ?? whole
    return served.resource === undefined ? kept : applyDefaults(served.resource.id, kept)
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    throw broken(webhook, error.message)
  }
}

/** The same for what is only part of a request, such as a scale: nothing is known of its fields. */
export function patchedJson(webhook: string, object: JsonObject, patch: Json): JsonObject {
  let patched: Json
  try {
    patched = applyJsonPatch(object, patch)
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    const prefix = 'the server rejected our request due to an error in our request: '
    throw internalError(error.message.replace(prefix, ''))
  }
  if (!isObject(patched)) throw broken(webhook, 'it is no object any more')
  return patched
}

function broken(webhook: string, why: string): StatusError {
  return internalError(
    `the patch of admission webhook ${JSON.stringify(webhook)} breaks the object: ${why}`,
  )
}
