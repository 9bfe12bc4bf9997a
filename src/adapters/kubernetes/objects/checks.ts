import { equalValues } from '../../../core/index.ts'
import { type KubeObject, ObjectError, type Resource } from './types.ts'

/** @throws ObjectError Conflict when the object is not as the writer wants it to be. */
export function checkPreconditions(
  resource: Resource,
  object: KubeObject,
  wanted: { readonly resourceVersion?: string | undefined; readonly uid?: string | undefined },
): void {
  const { name, uid, resourceVersion } = object.metadata
  const conflict = (message: string): ObjectError => {
    const text = `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${message}`
    return new ObjectError('Conflict', text, { key: { resource: resource.id, name } })
  }
  if (wanted.uid !== undefined && wanted.uid !== uid) {
    throw conflict(
      `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`,
    )
  }
  if (
    wanted.resourceVersion !== undefined &&
    !equalValues(wanted.resourceVersion, resourceVersion)
  ) {
    throw conflict(
      'the object has been modified; please apply your changes to the latest version and try again',
    )
  }
}

/** `pods`, or `replicasets.apps`: how messages of the API name a resource. */
export function qualified(resource: Resource): string {
  return resource.id
}

/**
 * A name becomes a part of a document's id, between slashes.
 *
 * @throws ObjectError Invalid.
 */
export function checkName(resource: Resource, name: unknown, namespace: unknown): void {
  const check = (field: string, value: unknown): void => {
    if (typeof value === 'string' && value !== '' && value !== '_' && !value.includes('/')) return
    const message = 'must be text without "/", and neither empty nor "_"'
    const causes = [{ reason: 'FieldValueInvalid' as const, field, message }]
    throw new ObjectError('Invalid', `${qualified(resource)} is invalid: ${field}: ${message}`, {
      causes,
    })
  }
  check('metadata.name', name)
  if (resource.namespaced) check('metadata.namespace', namespace)
}
