import { expect, test } from 'vitest'
import { selects } from '../../../../../src/adapters/kubernetes/objects/label-selector.ts'

const labels = { app: 'web', tier: 'front' }
const by = (key: string, operator: string, values?: readonly string[]): object => ({
  matchExpressions: [{ key, operator, ...(values === undefined ? {} : { values }) }],
})

test.each([
  ['an empty selector', {}, true],
  ['labels that are there', { matchLabels: { app: 'web' } }, true],
  ['a label with another value', { matchLabels: { app: 'db' } }, false],
  ['one of several values', by('app', 'In', ['db', 'web']), true],
  ['none of several values', by('app', 'NotIn', ['web']), false],
  ['no value of a label that is not there', by('none', 'NotIn', ['web']), true],
  ['a label that is there', by('app', 'Exists'), true],
  ['a label that is not there', by('none', 'DoesNotExist'), true],
  ['an operator that is none', by('none', 'Perhaps'), false],
  ['both kinds at once', { matchLabels: { app: 'web' }, ...by('tier', 'In', ['back']) }, false],
  ['expressions that are no list', { matchExpressions: 'app' }, false],
  ['an expression that is no map', { matchExpressions: ['app'] }, false],
  ['a name that every object inherits', by('constructor', 'Exists'), false],
  ['an inherited name that is not to be there', by('toString', 'DoesNotExist'), true],
  ['no selector', undefined, false],
])('%s', (_, selector, isSelected) => {
  expect(selects(selector, labels)).toBe(isSelected)
})
