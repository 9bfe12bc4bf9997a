import fc from 'fast-check'

import type { JsonMap, JsonValue } from '../../src/core/document/value.ts'

/** A value that is one field. */
export const leaf: fc.Arbitrary<string | number | boolean | null> = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.integer({ min: -1000, max: 1000 }),
  fc.boolean(),
  fc.constant(null),
)
const key = fc.constantFrom('a', 'b', 'c', 'labels')
const tree: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('x', 'y', 'z'), tie('value'), { maxKeys: 3 }),
  ),
})).value
const words = fc
  .uniqueArray(fc.constantFrom('red', 'green', 'blue'), { maxLength: 3 })
  .map((list) => list.sort())
/** A list whose items are told apart by `name`. */
export const items: fc.Arbitrary<{ name: string; image: string; tags: string[] }[]> =
  fc.uniqueArray(
    fc.record({
      name: fc.constantFrom('p', 'q', 'r', 's'),
      image: fc.string({ maxLength: 4 }),
      tags: words,
    }),
    { selector: (item) => item.name, maxLength: 4 },
  )
/** A value of a document of the kind in document-side.ts. */
export const value: fc.Arbitrary<JsonMap> = fc
  .tuple(
    fc.dictionary(key, tree, { maxKeys: 4 }),
    fc.record({ items, words, count: fc.integer({ min: 0, max: 100 }) }, { requiredKeys: [] }),
  )
  .map(([free, shaped]) => ({ ...free, ...shaped }))
