import { isObject, mapAt } from './read.ts'

/**
 * Whether labels are what a selector asks for (metav1.LabelSelector). A selector that is empty takes
 * everything, one that is none or malformed nothing. Both may be anybody's: only own fields count.
 */
export function selects(selector: unknown, labels: Readonly<Record<string, unknown>>): boolean {
  if (!isObject(selector)) return false
  const labelOf = (key: string): unknown => (Object.hasOwn(labels, key) ? labels[key] : undefined)
  const equal = mapAt(selector, 'matchLabels') ?? {}
  if (Object.entries(equal).some(([key, value]) => labelOf(key) !== value)) return false
  const expressions = selector['matchExpressions'] ?? []
  if (!Array.isArray(expressions)) return false
  return expressions.every((item) => {
    if (!isObject(item) || typeof item['key'] !== 'string') return false
    const value = labelOf(item['key'])
    const isListed =
      value !== undefined && Array.isArray(item['values']) && item['values'].includes(value)
    switch (item['operator']) {
      case 'In':
        return isListed
      case 'NotIn':
        return !isListed
      case 'Exists':
        return value !== undefined
      case 'DoesNotExist':
        return value === undefined
      default:
        return false
    }
  })
}
