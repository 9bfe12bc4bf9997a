import { mapAt, mapsAt, textAt } from './read.ts'
import type { JsonObject } from './types.ts'

/**
 * Whether labels meet a LabelSelector (metav1: matchLabels and matchExpressions, all of them). An empty
 * selector meets everything, an absent one nothing.
 */
export function meetsSelector(
  selector: JsonObject | undefined,
  labels: JsonObject | undefined,
): boolean {
  if (selector === undefined) return false
  const wanted = mapAt(selector, 'matchLabels') ?? {}
  for (const [key, value] of Object.entries(wanted)) if (labels?.[key] !== value) return false
  return mapsAt(selector, 'matchExpressions').every((expression) => meets(expression, labels))
}

function meets(expression: JsonObject, labels: JsonObject | undefined): boolean {
  const label = labels?.[textAt(expression, 'key') ?? '']
  const { values } = expression
  const listed = Array.isArray(values) && values.includes(label ?? null)
  switch (expression['operator']) {
    case 'In':
      return label !== undefined && listed
    case 'NotIn':
      return label === undefined || !listed
    case 'Exists':
      return label !== undefined
    case 'DoesNotExist':
      return label === undefined
    default:
      return false
  }
}
