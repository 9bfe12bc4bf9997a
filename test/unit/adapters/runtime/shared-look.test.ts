import { expect, test } from 'vitest'
import { SharedLook } from '../../../../src/adapters/runtime/shared-look.ts'

/** Looks that end when the test says so. */
function looks() {
  const ends: (() => void)[] = []
  let begun = 0
  const look = new SharedLook(async () => {
    begun += 1
    const number = begun
    await new Promise<void>((resolve) => ends.push(resolve))
    if (number === 2) throw new Error('the second look fails')
    return number
  })
  const begin = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  return { look, begun: () => begun, begin, end: () => ends.shift()?.() }
}

test('all who ask at once share one look', async () => {
  const { look, begun, begin, end } = looks()
  const answers = [look.take(), look.take(), look.take()]
  await begin()
  end()
  expect(await Promise.all(answers)).toEqual([1, 1, 1])
  expect(begun()).toBe(1)
})

test('who asks while a look is under way gets one that begins later, even after a failed one', async () => {
  const { look, begun, begin, end } = looks()
  const first = look.take()
  await begin()
  const second = [look.take(), look.take()]
  await begin()
  expect(begun()).toBe(1)
  end()
  expect(await first).toBe(1)
  await begin()
  const third = look.take()
  end()
  for (const one of second) await expect(one).rejects.toThrow('the second look fails')
  await begin()
  end()
  expect(await third).toBe(3)
})
