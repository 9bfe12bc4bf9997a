import type { JsonObject } from '../../objects/types.ts'
import { at, listAt, textAt } from '../json.ts'
import { range } from './address-checks.ts'
import { type Cause, forbiddenField } from './checks.ts'
import { checkLabelValue, checkQualifiedName } from './names.ts'
import { all, type Check, each, field, oneOf, sameValue, type UpdateCheck } from './rules.ts'

// What nodes have to look like.

const taints: Check = (_path, node) => {
  const items = listAt(node, 'spec', 'taints')
  const keys = items.map((taint) => `${textAt(taint, 'key')}:${textAt(taint, 'effect')}`)
  return items.flatMap((taint, index) => {
    const place = `metadata.taints[${index}]`
    const shown = {
      Key: textAt(taint, 'key'),
      Value: textAt(taint, 'value'),
      Effect: textAt(taint, 'effect'),
      TimeAdded: at(taint, 'timeAdded') ?? null,
    }
    return [
      ...checkQualifiedName(`${place}.key`, shown.Key),
      ...checkLabelValue(`${place}.value`, shown.Value),
      ...oneOf('NoSchedule', 'PreferNoSchedule', 'NoExecute')(`${place}.effect`, shown.Effect),
      ...(keys.indexOf(keys[index] ?? '') < index
        ? [
            {
              reason: 'FieldValueDuplicate',
              field: place,
              message: `Duplicate value: ${JSON.stringify(shown)}: taints must be unique by key and effect pair`,
            },
          ]
        : []),
    ]
  })
}

/** The checks of a node. */
export const NODE_CHECK: Check = all(taints, field('spec', each('podCIDRs', range)))

/** What an update of a node may not change once it is set. */
export const NODE_UPDATE: UpdateCheck = (before: JsonObject, after: JsonObject) =>
  (
    [
      ['podCIDRs', 'podCIDR'],
      ['providerID', 'providerID'],
    ] as const
  ).flatMap(([key, word]): readonly Cause[] => {
    const was = at(before, 'spec', word)
    return was === undefined || was === '' || sameValue(was, at(after, 'spec', word))
      ? []
      : [
          forbiddenField(
            `spec.${key}`,
            `node updates may not change ${word} except from "" to valid`,
          ),
        ]
  })
