import type { Json } from '../../objects/types.ts'
import { type Draft, isObject, setOwn } from '../json.ts'

/**
 * Applies a JSON merge patch (RFC 7396) to a copy of a document: null removes a field, lists are
 * replaced.
 */
export function applyMergePatch(document: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch
  const out: Draft = isObject(document) ? { ...document } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === undefined) delete out[key]
    else setOwn(out, key, applyMergePatch(Object.hasOwn(out, key) ? out[key] : undefined, value))
  }
  return out
}
