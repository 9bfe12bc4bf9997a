import { expect, test } from 'vitest'
import { CelError } from '../../../../../../src/adapters/kubernetes/server/cel/values.ts'
import { policyScope } from '../../../../../../src/adapters/kubernetes/server/policies/policy-scope.ts'
import { compiledOrWhy } from '../../../../../../src/adapters/kubernetes/server/webhooks/admission-expression.ts'

/** Variables of which each is made of the one before it. */
function chain(count: number, first: string, next: (before: string) => string): object[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `v${index}`,
    expression: index === 0 ? first : next(`variables.v${index - 1}`),
  }))
}

test.each([
  ['twice as large', '"a"', (before: string) => `{${before}: ${before}}`, 100],
  ['deeper', '["a"]', (before: string) => `[[[[[[[[[[${before}]]]]]]]]]]`, 1_000],
])('variables whose types are %s than the last are read soon', (_name, first, next, count) => {
  const { variables, types } = policyScope({ variables: chain(count, first, next) } as never)
  expect(variables).toHaveLength(count)
  expect(variables.filter(({ program }) => program instanceof CelError)).toEqual([])
  expect(compiledOrWhy(`variables.v${count - 1} == null`, types)).not.toBeInstanceOf(CelError)
})

test('the types of variables are known as far as they are plain', () => {
  const { types } = policyScope({
    variables: [{ name: 'm', expression: '{"a": [1]}' }],
  })
  const found = compiledOrWhy('variables.m.a[0] + "x"', types)
  expect(String(found)).toContain("applied to '(int, string)'")
})
