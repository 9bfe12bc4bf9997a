import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { selectableFields } from '../../../../../src/adapters/kubernetes/server/kinds/fields.ts'
import {
  fieldSelector,
  labelSelector,
} from '../../../../../src/adapters/kubernetes/server/selectors.ts'

const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'n', labels: { app: 'web', tier: '3', 'x.io/y': '' } },
  spec: { nodeName: 'one' },
  status: { phase: 'Running' },
}

describe('labelSelector', () => {
  test.each([
    ['', true],
    ['app', true],
    ['!app', false],
    ['nope', false],
    ['!nope', true],
    ['app=web', true],
    ['app==web', true],
    ['app = web', true],
    ['app!=web', false],
    ['nope!=web', true],
    ['app in (a, web)', true],
    ['app in (a)', false],
    ['app notin (a)', true],
    ['nope notin (a)', true],
    ['app notin (web,a)', false],
    ['app=web,tier=3', true],
    ['app=web,tier=4', false],
    ['tier>2', true],
    ['tier<3', false],
    ['x.io/y=', true],
    ['x.io/y', true],
    ['app in (web),!nope', true],
  ])('%s: %s', (text, expected) => {
    expect(labelSelector(text)(pod)).toBe(expected)
  })

  test.each([
    'app=,=',
    'a in b',
    'a in (b',
    '=b',
    'app=web,',
    'a b',
    'tier>x',
    'a!',
    '(a)',
    'a=b c',
    '-a=b',
  ])('%s is refused', (text) => {
    expect(() => labelSelector(text)).toThrow(/unable to parse requirement|^found '/)
  })
})

describe('fieldSelector', () => {
  const known = selectableFields('pods')
  test.each([
    ['', true],
    ['metadata.name=p', true],
    ['metadata.name==p', true],
    ['metadata.name!=p', false],
    ['spec.nodeName=one,status.phase=Running', true],
    ['spec.nodeName=one,status.phase!=Running', false],
    ['metadata.namespace=n', true],
    ['spec.nodeName=', false],
  ])('%s: %s', (text, expected) => {
    expect(fieldSelector(text, known)(pod)).toBe(expected)
  })

  test('names the fields that there are', () => {
    expect(() => fieldSelector('spec.foo=1', known)).toThrow(
      /^field label not supported: spec.foo$/,
    )
    expect(() => fieldSelector('constructor=1', known)).toThrow(/not supported/)
    expect(() => fieldSelector('nonsense', known)).toThrow(/invalid selector/)
  })
})
