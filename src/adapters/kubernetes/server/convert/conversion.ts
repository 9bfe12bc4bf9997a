import type { KubeObject } from '../../objects/types.ts'
import type { SelectableFields } from '../selectors.ts'
import { autoscalingV1 } from './autoscaling-v1.ts'
import { eventsV1 } from './events-v1.ts'

/** How objects look in another version than the one in which they are kept. Pure and lossless. */
export interface Conversion {
  /** The object as it is kept. */
  readonly toKept: (object: KubeObject) => KubeObject
  /** The object as this version shows it. */
  readonly fromKept: (object: KubeObject) => KubeObject
  /** Fields to select by that have another name in what is kept. */
  readonly fields: Readonly<Record<string, string>>
  /** Every field to select by, where no table has them. */
  readonly selectable?: SelectableFields | undefined
}

const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  'events.k8s.io/v1 events': eventsV1,
  'autoscaling/v1 horizontalpodautoscalers.autoscaling': autoscalingV1,
}

/** How a resource converts to a version; undefined for the version in which it is kept. */
export function conversionOf(apiVersion: string, resource: string): Conversion | undefined {
  const conversion = CONVERSIONS[`${apiVersion} ${resource}`]
  if (conversion === undefined) return undefined
  // An object is shown to many: each is converted once, so that its text is made once.
  const shown = new WeakMap<KubeObject, KubeObject>()
  const fromKept = (object: KubeObject): KubeObject => {
    const known = shown.get(object) ?? conversion.fromKept(object)
    shown.set(object, known)
    return known
  }
  return { ...conversion, fromKept }
}
