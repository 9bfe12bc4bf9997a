import type { Sha256 } from '../../../core/index.ts'
import type { ObjectKey } from './types.ts'

/** The two documents of an object: what it should be, and what it was seen to be. */
export type Part = 'desired' | 'observed'

/** One life of a name: an object that is created again after its deletion has the next incarnation. */
export interface Identity extends ObjectKey {
  readonly incarnation: number
}

/** Stands for the namespace of cluster-scoped kinds: no namespace has this name. */
const NO_NAMESPACE = '_'

const INCARNATION = /^[1-9]\d{0,8}$/

/** The key of a name, the same for all its incarnations: `pods/default/web`. */
export function nameOf(key: ObjectKey): string {
  return `${key.resource}/${key.namespace ?? NO_NAMESPACE}/${key.name}`
}

/**
 * The id of a document of an object, such as `pods/default/web/1/desired`. Everything that tells objects
 * apart is in it, so replicas that create the same object while apart mean the same document, and a
 * reader can tell what a document is without opening it.
 */
export function documentId(identity: Identity, part: Part): string {
  return `${nameOf(identity)}/${identity.incarnation}/${part}`
}

/** What a document id says, or undefined when it is not one of an object. */
export function parseDocumentId(
  id: string,
): { readonly identity: Identity; readonly part: Part } | undefined {
  const [resource, namespace, name, incarnation, part, ...rest] = id.split('/')
  if (resource === undefined || namespace === undefined || name === undefined || rest.length > 0)
    return undefined
  if (part !== 'desired' && part !== 'observed') return undefined
  if (resource === '' || namespace === '' || name === '') return undefined
  // Exactly as it is written here: an object has one id.
  if (incarnation === undefined || !INCARNATION.test(incarnation)) return undefined
  const number = Number(incarnation)
  const scope = namespace === NO_NAMESPACE ? {} : { namespace }
  return { identity: { resource, ...scope, name, incarnation: number }, part }
}

/**
 * The uid of an object: a UUID of version 8 (RFC 9562) made of the fleet's name and the object's identity,
 * the same on every replica.
 */
export function uidOf(identity: Identity, fleet: string, sha256: Sha256): string {
  const text = `${fleet}\n${nameOf(identity)}\n${identity.incarnation}`
  const bytes = sha256(new TextEncoder().encode(text)).slice(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
}
