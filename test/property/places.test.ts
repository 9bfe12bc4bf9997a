import fc from 'fast-check'
import { expect, test } from 'vitest'

import type { Put } from '../../src/core/interfaces/storage.ts'
import { placesUnder } from '../../src/core/log/place-blocks.ts'
import { PlanPlaces } from '../../src/core/log/plan-places.ts'
import type { CheckedEvent } from '../../src/core/log/submission.ts'

const ACTORS = ['aa', 'bb'] as const

/** An event of which only the place matters. */
function eventAt(actor: string, sequence: number, version: number): CheckedEvent {
  const hash = `${actor}${sequence.toString(16).padStart(8, '0')}`.padEnd(64, `${version % 10}`)
  const header = { hash, actor, sequence, parents: [], timeSeconds: 0, message: undefined }
  return { header, bytes: new Uint8Array(0) }
}

/** One plan: places that are freed and then places that are taken, of one of two writers. */
const plan = fc.record({
  freed: fc.array(fc.tuple(fc.nat(1), fc.integer({ min: 1, max: 70 })), { maxLength: 6 }),
  taken: fc.array(
    fc.tuple(fc.nat(1), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 40 })),
    { maxLength: 4 },
  ),
})

test('however places are taken and freed, each stands under one key, with what stands there', () => {
  fc.assert(
    fc.property(fc.array(plan, { minLength: 1, maxLength: 8 }), (plans) => {
      const model = new Map<string, CheckedEvent>()
      const stored = new Map<string, Uint8Array>()
      for (const [version, { freed, taken }] of plans.entries()) {
        const place = (_: string, actor: string, sequence: number) =>
          before.get(`${actor}/${sequence}`)?.header.hash
        const before = new Map(model)
        const places = new PlanPlaces({ place })
        for (const [writer, sequence] of freed) {
          const key = `${ACTORS[writer]}/${sequence}`
          const event = model.get(key)
          if (event === undefined) continue
          model.delete(key)
          places.forget('d', event)
        }
        for (const [writer, first, count] of taken) {
          for (let sequence = first; sequence < first + count; sequence += 1) {
            const event = eventAt(ACTORS[writer] ?? 'aa', sequence, version)
            if (places.at('d', event.header.actor, sequence) !== undefined) continue
            places.take('d', event)
            model.set(`${event.header.actor}/${sequence}`, event)
          }
        }
        write(
          stored,
          places.puts(() => [...model.values()]),
        )
      }
      const found = new Map<string, string>()
      for (const [key, value] of stored) {
        for (const { actor, sequence, hash } of placesUnder('d', key, value)) {
          expect(found.has(`${actor}/${sequence}`)).toBe(false)
          found.set(`${actor}/${sequence}`, hash)
        }
      }
      expect(found).toEqual(new Map([...model].map(([key, { header }]) => [key, header.hash])))
    }),
    { numRuns: 300 },
  )
})

function write(stored: Map<string, Uint8Array>, puts: readonly Put[]): void {
  for (const { key, value } of puts) {
    if (value === undefined) stored.delete(key)
    else stored.set(key, value)
  }
}
