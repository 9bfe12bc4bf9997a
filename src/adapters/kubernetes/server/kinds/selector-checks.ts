import { selects } from '../../objects/label-selector.ts'
import type { Json, JsonObject } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt, textAt } from '../json.ts'
import { type Cause, forbiddenField, invalidValue, required } from './checks.ts'
import { checkLabels, checkLabelValue, checkQualifiedName } from './names.ts'
import { type Check, pathOf } from './rules.ts'

/** What is wrong with a label selector, where there is one. */
export const selectorCheck: Check = (field, selector) => {
  if (!isObject(selector)) return []
  return [
    ...checkLabels(pathOf(field, 'matchLabels'), selector['matchLabels']),
    ...listAt(selector, 'matchExpressions').flatMap((item, index) =>
      checkExpression(`${field}.matchExpressions[${index}]`, item),
    ),
  ]
}

function checkExpression(field: string, item: Json): readonly Cause[] {
  const operator = textAt(item, 'operator')
  const values = listAt(item, 'values')
  return [
    ...checkOperator(field, operator, values),
    ...checkQualifiedName(`${field}.key`, textAt(item, 'key')),
    ...values.flatMap((value, index) => checkLabelValue(`${field}.values[${index}]`, value)),
  ]
}

function checkOperator(field: string, operator: string, values: readonly Json[]): readonly Cause[] {
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length > 0
        ? []
        : [required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'")]
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0
        ? []
        : [
            forbiddenField(
              `${field}.values`,
              "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
          ]
    default:
      return [invalidValue(`${field}.operator`, operator, 'not a valid selector operator')]
  }
}

/** Whether a label selector demands nothing. */
export function isEmptySelector(selector: Json | undefined): boolean {
  return (
    Object.keys(objectAt(selector, 'matchLabels')).length === 0 &&
    listAt(selector, 'matchExpressions').length === 0
  )
}

/** That the selector of a spec is one, and that the labels of its template match it. */
export function templateSelectorCauses(
  field: string,
  spec: JsonObject,
  emptyText: string,
): readonly Cause[] {
  const selector = spec['selector']
  const own = selectorCheck(`${field}.selector`, selector)
  const labels = at(spec, 'template', 'metadata', 'labels')
  const isEmpty = selector !== undefined && isEmptySelector(selector)
  const causes = [
    ...(selector === undefined ? [required(`${field}.selector`)] : own),
    ...(isEmpty ? [invalidValue(`${field}.selector`, selector, emptyText)] : []),
  ]
  if (own.length > 0)
    return [...causes, invalidValue(`${field}.selector`, selector, 'invalid label selector')]
  const isMatched = selector !== undefined && selects(selector, isObject(labels) ? labels : {})
  return isEmpty || isMatched
    ? causes
    : [
        ...causes,
        invalidValue(
          `${field}.template.metadata.labels`,
          labels,
          '`selector` does not match template `labels`',
        ),
      ]
}
