import { randomUUID } from 'node:crypto'
import type { Json, KubeObject } from '../../objects/types.ts'
import type { ConversionWebhook } from '../custom/conversion-webhook.ts'
import { prunedObject } from '../custom/prune.ts'
import { unexpected } from '../status.ts'
import {
  ConvertedError,
  conversionBody,
  convertedIn,
  convertedObject,
  kindText,
} from './conversion-review.ts'
import type { WebhookCaller } from './webhook-call.ts'
import { CallError } from './webhook-errors.ts'

/** How long a webhook has for one question. */
const TIMEOUT_MS = 30_000

/** Objects of custom kinds in other versions, as webhooks convert them. */
export interface Converter {
  /**
   * Objects of one kind in a version: those that are in it stay as they are, a webhook is asked about the
   * others, once for all of them. Without the fields that the version does not have.
   *
   * @param listKind what a list of them is called, where they are one: errors say it.
   * @throws StatusError 500 when the webhook does not answer as it should.
   */
  convert(
    webhook: ConversionWebhook,
    objects: readonly KubeObject[],
    apiVersion: string,
    listKind?: string,
  ): Promise<readonly KubeObject[]>
}

/** Makes one that asks by `caller`. */
export function createConverter(caller: Pick<WebhookCaller, 'call'>): Converter {
  return {
    convert: async (webhook, objects, apiVersion, listKind) => {
      const others = objects.filter((object) => object.apiVersion !== apiVersion)
      const [first] = others
      if (first === undefined) return objects
      const about =
        listKind === undefined
          ? kindText(first.apiVersion, first.kind)
          : kindText(apiVersion, listKind)
      const prefix = `conversion webhook for ${about}`
      const answer = await asked(caller, webhook, others, apiVersion, prefix)
      if (answer.length !== others.length)
        throw unexpected(`${prefix} returned ${answer.length} objects, expected ${others.length}`)
      const schema = webhook.schemas.get(apiVersion)
      const converted = others.map((before, index) => {
        const after = checked(before, answer[index] ?? null, apiVersion, (error) =>
          listKind === undefined ? alone(prefix, error) : inList(prefix, error, index),
        )
        return prunedObject(after, schema, []) as KubeObject
      })
      let next = 0
      return objects.map((object) =>
        object.apiVersion === apiVersion ? object : (converted[next++] ?? object),
      )
    },
  }
}

async function asked(
  caller: Pick<WebhookCaller, 'call'>,
  { address, reviewVersion }: ConversionWebhook,
  objects: readonly KubeObject[],
  apiVersion: string,
  prefix: string,
): Promise<readonly Json[]> {
  if (reviewVersion === undefined) throw unexpected('no supported conversion review versions')
  const uid = randomUUID()
  const body = conversionBody(reviewVersion, uid, apiVersion, objects)
  try {
    return convertedIn(await caller.call(address, body, TIMEOUT_MS), uid, reviewVersion)
  } catch (error) {
    if (!(error instanceof CallError)) throw error
    const why = error.message.replace(/^failed to call webhook: /, '')
    throw unexpected(`${prefix} failed: ${why}`)
  }
}

function checked(
  before: KubeObject,
  after: Json,
  apiVersion: string,
  told: (error: ConvertedError) => string,
): KubeObject {
  try {
    return convertedObject(before, after, apiVersion)
  } catch (error) {
    if (!(error instanceof ConvertedError)) throw error
    throw unexpected(told(error))
  }
}

function alone(prefix: string, { part, message }: ConvertedError): string {
  switch (part) {
    case 'text':
      return message
    case 'version':
      return `${prefix} returned invalid object at index 0: ${message}`
    case 'identity':
      return `${prefix} returned invalid object: ${message}`
    case 'metadata':
      return `${prefix} returned invalid metadata: ${message}`
  }
}

function inList(prefix: string, { part, message }: ConvertedError, index: number): string {
  return part === 'metadata'
    ? `${prefix} returned invalid metadata in object at index ${index}: ${message}`
    : `${prefix} returned invalid converted object at index ${index}: ${message}`
}
