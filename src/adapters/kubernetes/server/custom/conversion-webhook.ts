import { mapsAt } from '../../objects/read.ts'
import type { KubeObject, Resource } from '../../objects/types.ts'
import { listAt, objectAt, textAt } from '../json.ts'
import { addressOf, type WebhookAddress } from '../webhooks/webhook.ts'
import { defaultedObject } from './defaulting.ts'
import { prunedObject } from './prune.ts'
import type { Schema } from './schema.ts'

/** The webhook that a definition wants its objects converted by. */
export interface ConversionWebhook {
  readonly address: WebhookAddress
  /** The form of question that it understands; undefined where it is none of ours. */
  readonly reviewVersion: 'v1' | 'v1beta1' | undefined
  /** The version in which objects are kept from now on, such as `example.com/v1`. */
  readonly storage: string
  /** What objects look like, by version. */
  readonly schemas: ReadonlyMap<string, Schema | undefined>
  /** Whether objects may be kept in another version than the one of now: it was another one before. */
  readonly hasOlder: () => boolean
}

/**
 * The webhook that a definition names; undefined where none converts.
 *
 * @param current the definition as it is at the time of asking.
 */
export function conversionWebhookOf(
  { group, version: storage }: Pick<Resource, 'group' | 'version'>,
  definition: KubeObject,
  schemaOf: (version: string) => Schema | undefined,
  current: () => KubeObject | undefined,
): ConversionWebhook | undefined {
  const conversion = objectAt(definition, 'spec', 'conversion')
  if (conversion['strategy'] !== 'Webhook') return undefined
  const reviews = listAt(conversion, 'webhook', 'conversionReviewVersions')
  const known = reviews.find((version) => version === 'v1' || version === 'v1beta1')
  const names = mapsAt(definition, 'spec', 'versions').map((version) => textAt(version, 'name'))
  return {
    address: addressOf(objectAt(conversion, 'webhook', 'clientConfig')),
    reviewVersion: known === 'v1' || known === 'v1beta1' ? known : undefined,
    storage: `${group}/${storage}`,
    schemas: new Map(names.map((name) => [`${group}/${name}`, schemaOf(name)])),
    hasOlder: () =>
      listAt(current(), 'status', 'storedVersions').some((version) => version !== storage),
  }
}

/** A kept object as its own version has it: with the defaults and the fields of that. */
export function readKept({ schemas }: ConversionWebhook, object: KubeObject): KubeObject {
  const schema = schemas.get(object.apiVersion)
  return defaultedObject(prunedObject(object, schema, []), schema) as KubeObject
}
