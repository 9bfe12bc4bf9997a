import type { Json, JsonObject } from '../../objects/types.ts'
import { parseJson } from '../body.ts'
import { isObject, textAt } from '../json.ts'
import { StatusError } from '../status.ts'
import { CallError } from './webhook-errors.ts'

/** What an answer of a webhook has to be, and how it is told that it is not. */
export interface ReviewForm {
  readonly group: string
  readonly kind: string
  /** What the words of kube-apiserver begin with; empty for none. */
  readonly failure: string
}

/**
 * The answer of a webhook as an object, of the kind that was asked for as far as it says one.
 *
 * @throws CallError for an answer that is none.
 */
export function reviewObject(bytes: Uint8Array, { group, kind, failure }: ReviewForm): JsonObject {
  let value: Json
  try {
    ;({ value } = parseJson(bytes))
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    throw new CallError(`${failure}${error.message}`)
  }
  if (!isObject(value)) throw new CallError(`${failure}the answer is not an object`)
  const [given, apiVersion] = [textAt(value, 'kind'), textAt(value, 'apiVersion')]
  const isKnown = given === kind && apiVersion.startsWith(`${group}/`)
  if (given !== '' && apiVersion !== '' && !isKnown)
    throw new CallError(
      `${failure}no kind ${JSON.stringify(given)} is registered for version ${JSON.stringify(apiVersion)}`,
    )
  return value
}
