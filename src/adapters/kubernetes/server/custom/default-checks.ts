import { sameJson } from '../json.ts'
import { type Cause, invalidValue } from '../kinds/checks.ts'
import { pruned } from './prune.ts'
import { checkRules } from './rules.ts'
import type { Schema } from './schema.ts'
import { checkValue } from './value-checks.ts'

/** What is wrong with the defaults of a schema: each has to be a value that the schema allows. */
export function checkDefaults(schema: Schema, path: string): readonly Cause[] {
  return [
    ...ownCauses(schema, path),
    ...(schema.items === undefined ? [] : checkDefaults(schema.items, `${path}.items`)),
    ...[...schema.properties].flatMap(([name, inner]) =>
      checkDefaults(inner, `${path}.properties[${name}]`),
    ),
  ]
}

function ownCauses(schema: Schema, path: string): readonly Cause[] {
  const value = schema.default
  if (value === undefined) return []
  const field = `${path}.default`
  const isWhole = sameJson(pruned(value, schema, '', []), value)
  const unknown = isWhole ? [] : [invalidValue(field, value, 'must not have unknown fields')]
  const wrong = checkValue(schema, value, undefined, field)
  const rules =
    wrong.length > 0
      ? []
      : checkRules(schema, value, undefined, field, schema.isEmbedded, () => undefined)
  return [...unknown, ...wrong, ...rules]
}
