import { expect, test } from 'vitest'
import { thresholdsOf } from '../../../../../src/adapters/edged/eviction/thresholds.ts'
import { allocatableOf } from '../../../../../src/adapters/edged/node/node-allocatable.ts'

const CAPACITY = {
  cpu: '2',
  'ephemeral-storage': '101430960Ki',
  'hugepages-2Mi': '0',
  memory: '16393264Ki',
  pods: '110',
}

test('pods may have what is not kept free, as kubelet writes it', () => {
  expect(allocatableOf(CAPACITY, thresholdsOf({}))).toEqual({
    ...CAPACITY,
    'ephemeral-storage': '93478772582',
    memory: '16290864Ki',
  })
})

test('pages of another size are no ordinary memory', () => {
  const huge = { ...CAPACITY, 'hugepages-2Mi': '1Gi' }
  expect(allocatableOf(huge, [])['memory']).toBe(`${16393264 - 2 ** 20}Ki`)
})

test('what is kept may be everything', () => {
  const small = { memory: '50Mi' }
  expect(allocatableOf(small, thresholdsOf({}))).toEqual({ memory: '0Ki' })
})
