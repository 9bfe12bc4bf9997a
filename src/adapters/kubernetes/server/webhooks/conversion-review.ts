import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { isObject, listAt, objectAt, sameJson, textAt } from '../json.ts'
import type { Cause } from '../kinds/checks.ts'
import { checkAnnotations } from '../kinds/metadata-checks.ts'
import { checkLabels } from '../kinds/names.ts'
import { reviewObject } from './review-object.ts'
import { CallError } from './webhook-errors.ts'

const GROUP = 'apiextensions.k8s.io'
const KIND = 'ConversionReview'
const FORM = { group: GROUP, kind: KIND, failure: '' }

/** The forms of a question, best known to both sides first. */
export type ConversionVersion = 'v1' | 'v1beta1'

/** The body of a question. */
export function conversionBody(
  version: ConversionVersion,
  uid: string,
  desiredAPIVersion: string,
  objects: readonly KubeObject[],
): string {
  const request = { uid, desiredAPIVersion, objects }
  return JSON.stringify({ kind: KIND, apiVersion: `${GROUP}/${version}`, request })
}

/**
 * The objects that an answer holds, not looked at yet.
 *
 * @throws CallError for an answer that is none, or that says why there are none.
 */
export function convertedIn(
  bytes: Uint8Array,
  uid: string,
  version: ConversionVersion,
): readonly Json[] {
  const review = reviewObject(bytes, FORM)
  const found = `${goVersion(textAt(review, 'apiVersion'))}, Kind=${textAt(review, 'kind')}`
  const wanted = `${GROUP}/v1, Kind=${KIND}`
  if (version === 'v1' && found !== wanted)
    throw new CallError(`expected webhook response of ${wanted}, got ${found}`)
  const { response } = review
  if (!isObject(response)) throw new CallError('no response provided')
  const given = textAt(response, 'uid')
  if (version === 'v1' && given !== uid)
    throw new CallError(
      `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(given)}`,
    )
  const status = textAt(response, 'result', 'status')
  if (status !== 'Success')
    throw new CallError(
      textAt(response, 'result', 'message') ||
        `response.result.status was '${status}', not 'Success'`,
    )
  return listAt(response, 'convertedObjects')
}

/** A version as Go writes it: `apps/v1`, `/v1`. */
function goVersion(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion : `/${apiVersion}`
}

/** What an object says that it is, as Go writes it: `example.com/v1, Kind=Thing`. */
export function kindText(apiVersion: string, kind: string): string {
  return `${goVersion(apiVersion)}, Kind=${kind}`
}

/** What of an object of an answer is wrong: each is told in other words. */
export type ConvertedPart = 'text' | 'version' | 'identity' | 'metadata'

/** What is wrong with one object of an answer. */
export class ConvertedError extends Error {
  readonly part: ConvertedPart

  constructor(part: ConvertedPart, message: string) {
    super(message)
    this.name = 'ConvertedError'
    this.part = part
  }
}

/**
 * An object as a webhook converted it: the metadata as it was, but for labels and annotations.
 *
 * @throws ConvertedError when it is another object, or none of this version.
 */
export function convertedObject(before: KubeObject, after: Json, apiVersion: string): KubeObject {
  if (!isObject(after) || textAt(after, 'kind') === '')
    throw new ConvertedError('text', `Object 'Kind' is missing in '${JSON.stringify(after)}'`)
  const found = textAt(after, 'apiVersion')
  if (found !== apiVersion)
    throw new ConvertedError(
      'version',
      `invalid groupVersion (expected ${apiVersion}, received ${found})`,
    )
  const kind = textAt(after, 'kind')
  if (kind !== before.kind)
    throw new ConvertedError('version', `invalid kind (expected ${before.kind}, received ${kind})`)
  for (const [key, told] of IDENTITY) {
    const [was, is] = [textAt(before, 'metadata', key), textAt(after, 'metadata', key)]
    if (was !== is)
      throw new ConvertedError('identity', `must have the same ${told}: ${was} != ${is}`)
  }
  return { ...after, apiVersion, kind, metadata: metadataOf(before, after) } as KubeObject
}

const IDENTITY = [
  ['name', 'name'],
  ['namespace', 'namespace'],
  ['uid', 'UID'],
] as const

function metadataOf(before: KubeObject, after: JsonObject): JsonObject {
  const { metadata } = after
  if (metadata === undefined)
    throw new ConvertedError('metadata', 'missing metadata in converted object')
  if (!isObject(metadata))
    throw new ConvertedError(
      'metadata',
      `invalid metadata of type ${goType(metadata)} in converted object`,
    )
  const { labels: _labels, annotations: _annotations, ...kept } = before.metadata
  return {
    ...kept,
    ...textsOf(before, metadata, 'labels'),
    ...textsOf(before, metadata, 'annotations'),
  }
}

/** Labels or annotations, checked where they are others than before. */
function textsOf(
  before: KubeObject,
  metadata: JsonObject,
  key: 'labels' | 'annotations',
): JsonObject {
  const given = metadata[key]
  if (given === undefined || given === null) return {}
  if (!isObject(given))
    throw new ConvertedError(
      'metadata',
      `invalid metadata.${key} of type ${goType(given)} in converted object`,
    )
  for (const [name, value] of Object.entries(given))
    if (typeof value !== 'string')
      throw new ConvertedError(
        'metadata',
        `metadata.${key}[${name}] must be a string, but is ${goType(value)} in converted object`,
      )
  if (sameJson(given, objectAt(before, 'metadata', key))) return { [key]: given }
  const causes: readonly Cause[] =
    key === 'labels' ? checkLabels('metadata.labels', given) : checkAnnotations(given)
  if (causes.length > 0) throw new ConvertedError('metadata', told(causes))
  return { [key]: given }
}

function told(causes: readonly Cause[]): string {
  const texts = causes.map(({ field, message }) => `${field}: ${message}`)
  return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`
}

/** The type of a value of JSON, as Go names it. */
function goType(value: Json | undefined): string {
  if (Array.isArray(value)) return '[]interface {}'
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'boolean':
      return 'bool'
    case 'number':
      return Number.isInteger(value) ? 'int64' : 'float64'
    default:
      return value === null ? '<nil>' : 'map[string]interface {}'
  }
}
