import type { KubeObject } from '../../objects/types.ts'
import { type RequestContext, shownAs } from '../context.ts'
import type { Cause } from '../kinds/checks.ts'
import { forbidden } from '../status.ts'
import { checkCustom, checkCustomStatus } from './custom-kind.ts'
import { defaultedObject } from './defaulting.ts'

/** An object that was put together from what managers applied, with the defaults of its kind. */
export function withCustomDefaults({ served }: RequestContext, object: KubeObject): KubeObject {
  const { custom } = served
  return custom === undefined ? object : (defaultedObject(object, custom.schema) as KubeObject)
}

/** What is wrong with an object of a kind that a definition defines; nothing with others. */
export function customCauses(
  context: RequestContext,
  object: KubeObject,
  before?: KubeObject,
): readonly Cause[] {
  const { custom } = context.served
  if (custom === undefined) return []
  const old = before === undefined ? undefined : shownAs(context, before)
  return checkCustom(custom, shownAs(context, object), old, warning(context))
}

/** The same for a status that was written. */
export function customStatusCauses(
  context: RequestContext,
  object: KubeObject,
  before: KubeObject,
): readonly Cause[] {
  const { custom } = context.served
  if (custom === undefined) return []
  const after = shownAs(context, object)
  return checkCustomStatus(custom, after, shownAs(context, before), warning(context))
}

function warning({ warnings }: RequestContext): (text: string) => void {
  return (text) => {
    warnings.push(text)
  }
}

/**
 * Refuses new objects of a kind that is on its way out.
 *
 * @throws StatusError 403.
 */
export function refuseLate({ served }: RequestContext, name: string): void {
  if (served.custom?.isEnding() !== true) return
  const why = 'create not allowed while custom resource definition is terminating'
  throw forbidden(served, name, why)
}
