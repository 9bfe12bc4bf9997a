import type { Json } from '../../objects/types.ts'
import { isObject, listAt, objectAt, textAt } from '../json.ts'

/** A label selector as text: `a=b,c in (d,e)`. */
export function selectorText(selector: Json | undefined): string {
  // The oldest kinds select by labels alone.
  const isPlain = isObject(selector) && Object.values(selector).every((v) => typeof v === 'string')
  const labels = isPlain ? selector : objectAt(selector, 'matchLabels')
  const equals = Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`)
  const others = listAt(selector, 'matchExpressions').map((item) => {
    const key = textAt(item, 'key')
    const values = `(${listAt(item, 'values').map(String).sort().join(',')})`
    switch (textAt(item, 'operator')) {
      case 'In':
        return `${key} in ${values}`
      case 'NotIn':
        return `${key} notin ${values}`
      case 'DoesNotExist':
        return `!${key}`
      default:
        return key
    }
  })
  return [...equals.sort(), ...others].join(',') || '<none>'
}
