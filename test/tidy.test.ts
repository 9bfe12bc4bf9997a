import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { RULES } from './tidy/rules.ts'
import { readTree } from './tidy/tree.ts'

const tree = readTree(fileURLToPath(new URL('..', import.meta.url)))

for (const rule of RULES) {
  test(rule.name, () => {
    expect(rule.check(tree).join('\n')).toBe('')
  })
}
