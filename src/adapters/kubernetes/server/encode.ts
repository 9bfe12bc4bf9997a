import type { JsonObject, KubeObject } from '../objects/types.ts'

const encoded = new WeakMap<object, string>()

/** The JSON of an object of a store. Such objects never change, so each is encoded once. */
export function encodeObject(object: KubeObject): string {
  const known = encoded.get(object)
  if (known !== undefined) return known
  const text = JSON.stringify(object)
  encoded.set(object, text)
  return text
}

/**
 * The JSON of a list. Items of a list of Kubernetes' own kinds do not say again what they are; those
 * of custom resources do.
 */
export function encodeList(
  kind: string,
  apiVersion: string,
  metadata: JsonObject,
  items: readonly KubeObject[],
  isCustom = false,
): string {
  const head = JSON.stringify({ kind, apiVersion, metadata })
  const said = `{"apiVersion":${JSON.stringify(apiVersion)},"kind":"${kind.slice(0, -4)}",`
  const texts = items.map(encodeObject)
  if (isCustom) return `${head.slice(0, -1)},"items":[${texts.join(',')}]}\n`
  const short = texts.map((text) => (text.startsWith(said) ? `{${text.slice(said.length)}` : text))
  return `${head.slice(0, -1)},"items":[${short.join(',')}]}\n`
}
