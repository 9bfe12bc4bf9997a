import {
  change,
  clone,
  type Doc,
  decodeChange,
  getHeads,
  getLastLocalChange,
  init,
  load,
  loadIncremental,
  stats,
} from '@automerge/automerge'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { genesisEvent } from '../../src/core/document/kind.ts'
import { readValue } from '../../src/core/document/read-value.ts'
import { StraightDocument } from '../../src/core/document/straight-document.ts'
import type { JsonMap } from '../../src/core/document/value.ts'
import { writeChanges } from '../../src/core/document/write-value.ts'
import { KIND } from '../support/document-side.ts'
import { value } from '../support/document-values.ts'
import { sha256 } from '../support/memory-log.ts'

type Draft = Record<string, unknown>

const GENESIS = genesisEvent(KIND, sha256)?.bytes ?? new Uint8Array()
const ACTORS = ['a1'.repeat(8), '0b'.repeat(16), 'ff']

/** What no kind of ours holds otherwise: keys and values at the edge of what can be written. */
const odd = fc.dictionary(
  fc
    .string({ unit: 'binary', minLength: 1, maxLength: 3 })
    .filter((key) => !/^#|__proto__/.test(key)),
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.double({ noNaN: true, noDefaultInfinity: true, maxExcluded: true, max: 1e6, min: -1e6 }),
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    fc.constantFrom(2 ** 53 - 2, -(2 ** 53) + 2, 2 ** 40, -64, 63, 64, -65, -0, 0.5, '', '\uFEFFx'),
    fc.array(fc.oneof(fc.integer(), fc.constant({ deep: [{}, [], null, [-1, 2.5]] }))),
  ),
  { maxKeys: 4 },
)

interface Step {
  readonly actor: string
  readonly next: JsonMap
  readonly message: string | undefined
  readonly timeSeconds: number
}

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    actor: fc.constantFrom(...ACTORS),
    next: fc.oneof(
      value,
      odd,
      fc.tuple(value, odd).map(([a, b]) => ({ ...b, ...a, more: b })),
    ),
    message: fc.option(fc.string({ minLength: 1, maxLength: 200 }), { nil: undefined }),
    timeSeconds: fc.integer({ min: 0, max: 2 ** 33 }),
  }),
  { minLength: 1, maxLength: 6 },
)

/** One edit by Automerge: the bytes of its change, or undefined when there is none. */
function automergeEdit(
  doc: Doc<Draft>,
  { actor, next, message, timeSeconds: time }: Step,
): { readonly doc: Doc<Draft>; readonly bytes: Uint8Array | undefined } {
  const mine = clone(doc, { actor })
  const base = readValue(mine) as JsonMap
  const settings = { time, ...(message === undefined ? {} : { message }) }
  const after = change(mine, settings, (draft) => writeChanges(draft, base, next, KIND.shape))
  const isSame = getHeads(after).join() === getHeads(doc).join()
  return { doc: after, bytes: isSame ? undefined : getLastLocalChange(after) }
}

function straightEdit(document: StraightDocument, step: Step) {
  const { actor, next } = step
  const base = readValue(document.root, document.known) as JsonMap
  return document.edit(actor, step, (draft) =>
    writeChanges(draft, base, next, KIND.shape, document.root),
  )
}

describe('a straight document', () => {
  test('makes the very events that Automerge makes, and shows the same', () => {
    fc.assert(
      fc.property(fc.boolean(), steps, (begun, all) => {
        const events: Uint8Array[] = begun ? [GENESIS] : []
        let doc = begun ? load<Draft>(GENESIS) : init<Draft>()
        const document = StraightDocument.of(events, sha256)
        if (document === undefined) throw new Error('not straight')
        for (const step of all) {
          const by = automergeEdit(doc, step)
          doc = by.doc
          const made = straightEdit(document, step)
          expect(made?.bytes).toEqual(by.bytes)
          expect(readValue(document.root, document.known)).toEqual(readValue(doc))
          if (by.bytes !== undefined) events.push(by.bytes)
        }
        expect(document.head === undefined ? [] : [document.head]).toEqual(getHeads(doc))
        const read = StraightDocument.of(events, sha256)
        expect(read?.head).toEqual(document.head)
        expect(readValue(read?.root)).toEqual(readValue(doc))
      }),
    )
  })

  test('goes on where events of others were taken in', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const sides = ACTORS.map(() => StraightDocument.of([GENESIS], sha256))
        for (const step of all) {
          const author = sides[ACTORS.indexOf(step.actor)]
          if (author === undefined) throw new Error('not straight')
          const made = straightEdit(author, step)
          for (const side of sides) {
            if (side === author || made?.bytes === undefined) continue
            expect(side?.apply(made.bytes)).toBe(true)
          }
        }
        const [first, ...others] = sides.map((side) => readValue(side?.root, side?.known))
        for (const other of others) expect(other).toEqual(first)
      }),
    )
  })

  test('is none where two edits know nothing of each other', () => {
    const [left, right] = ACTORS.slice(0, 2).map((actor) => {
      const document = StraightDocument.of([GENESIS], sha256)
      const step = { actor, next: { labels: { actor } }, message: undefined, timeSeconds: 0 }
      const made = document === undefined ? undefined : straightEdit(document, step)
      return made?.bytes ?? new Uint8Array()
    })
    if (left === undefined || right === undefined) throw new Error('no edits')
    expect(StraightDocument.of([GENESIS, left], sha256)).toBeDefined()
    expect(StraightDocument.of([GENESIS, left, right], sha256)).toBeUndefined()
    expect(StraightDocument.of([left], sha256)).toBeUndefined()
  })

  test('takes nothing in that Automerge refuses or shows otherwise', () => {
    fc.assert(
      fc.property(
        steps,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        (all, flips) => {
          const document = StraightDocument.of([], sha256)
          const events = all.flatMap((step) => {
            const made = document === undefined ? undefined : straightEdit(document, step)
            return made?.bytes ?? []
          })
          const last = events.at(-1)
          if (last === undefined) return
          for (const [at, byte] of flips) last[10 + (at % (last.length - 10))] = byte
          last.set(sha256(last.subarray(8)).subarray(0, 4), 4)
          const read = StraightDocument.of(events, sha256)
          if (read === undefined) return
          decodeChange(last)
          const doc = loadIncremental(init<Draft>(), Buffer.concat(events))
          expect(stats(doc).numChanges).toBe(events.length)
          expect(getHeads(doc)).toEqual([read.head])
          expect(readValue(read.root)).toEqual(readValue(doc))
        },
      ),
      { numRuns: 400 },
    )
  })
})
