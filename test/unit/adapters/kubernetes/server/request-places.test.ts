import { expect, test } from 'vitest'
import { RequestPlaces } from '../../../../../src/adapters/kubernetes/server/request-places.ts'

const MAX = 400
const BUSY = expect.objectContaining({ reason: 'TooManyRequests' }) as unknown

test('who waits for a webhook leaves a place to others, up to as many again', async () => {
  const places = new RequestPlaces()
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const waiting = Array.from({ length: MAX }, () => {
    const place = places.enter(false)
    // Parts of one request that wait at the same time are one.
    const parts = [place.waits(() => released), place.waits(() => released)]
    return Promise.all(parts).then(() => place.leave())
  })
  const working = Array.from({ length: MAX - 1 }, () => places.enter(false))
  const last = places.enter(false)
  await expect(last.waits(() => Promise.resolve())).rejects.toEqual(BUSY)
  expect(() => places.enter(false)).toThrow(expect.objectContaining({ code: 429 }))
  expect(() => places.enter(true)).toThrow(expect.objectContaining({ code: 429 }))
  release()
  await Promise.all(waiting)
  for (const place of [...working, last]) place.leave()
  const all = Array.from({ length: MAX }, () => places.enter(false))
  expect(() => places.enter(false)).toThrow(expect.objectContaining({ code: 429 }))
  const converted = Array.from({ length: MAX }, () => places.enter(true))
  for (const place of [...all, ...converted]) place.leave()
  places.enter(false).leave()
})

test('a place that streams is free meanwhile', async () => {
  const places = new RequestPlaces()
  const place = places.enter(false)
  await place.streams(() => {
    const all = Array.from({ length: MAX }, () => places.enter(false))
    for (const other of all) other.leave()
    return Promise.resolve()
  })
  place.leave()
})
