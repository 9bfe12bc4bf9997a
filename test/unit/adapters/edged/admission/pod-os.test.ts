import { expect, test } from 'vitest'
import { misfitOf } from '../../../../../src/adapters/edged/admission/node-fit.ts'
import { pod } from '../pods.ts'

const NODE = { name: 'edge-1', os: 'linux', allocatable: {}, object: undefined }

test.each<[string, Parameters<typeof pod>, string | undefined]>([
  ['one that does not say', [], undefined],
  ['one for this system', [{ os: { name: 'linux' } }], undefined],
  ['one for another', [{ os: { name: 'windows' } }], 'PodOSNotSupported'],
  [
    'one whose label names another',
    [{}, { labels: { 'kubernetes.io/os': 'windows' } }],
    'PodOSSelectorNodeLabelDoesNotMatch',
  ],
  ['one whose label names this one', [{}, { labels: { 'kubernetes.io/os': 'linux' } }], undefined],
])('the operating system of a pod: %s', (_name, given, reason) => {
  expect(misfitOf(pod(...given).object, [], NODE)?.reason).toBe(reason)
})
