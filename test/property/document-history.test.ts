import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { conflictPaths, conflictsAt } from '../../src/core/document/conflicts.ts'
import { type HistoryEntry, readHistory } from '../../src/core/document/history.ts'
import { PLAIN_KIND } from '../../src/core/document/kind.ts'
import { applyPatches, diffValues } from '../../src/core/document/patches.ts'
import type { DocumentPath } from '../../src/core/document/path.ts'
import { undoEdits } from '../../src/core/document/undo.ts'
import type { JsonMap, JsonValue } from '../../src/core/document/value.ts'
import { KIND, Side, shown } from '../support/document-side.ts'
import { value } from '../support/document-values.ts'

/** Each run makes two documents and a few merges. */
const RUNS = { numRuns: 60 }
const nobody = (): undefined => undefined
const values = fc.array(value, { minLength: 1, maxLength: 4 })
const kinds = fc.constantFrom(KIND, PLAIN_KIND)

/** Two sides that wrote after a common beginning, and have each other's edits. */
function merged(
  start: JsonMap,
  left: readonly JsonMap[],
  right: readonly JsonMap[],
  kind = KIND,
): readonly [Side, Side] {
  const [a, b] = [new Side('a', kind), new Side('b', kind)]
  a.write({}, start)
  b.take(a.made)
  const shared = a.made.length
  for (const next of left) a.write(a.document.value, next)
  for (const next of right) b.write(b.document.value, next)
  const fromA = a.made.slice(shared)
  a.take(b.made)
  b.take(fromA)
  return [a, b]
}

function historyOf({ document }: Side, order: 'newest' | 'oldest'): readonly HistoryEntry[] {
  return [...readHistory(() => document, document.heads, { order }, nobody)]
}

function at(value: JsonValue | undefined, path: DocumentPath): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>(
    (part, step) => (part as Record<string | number, JsonValue> | undefined)?.[step],
    value,
  )
}

describe('earlier values', () => {
  test('the value at heads is the one that was seen then', () => {
    fc.assert(
      fc.property(values, values, kinds, (left, right, kind) => {
        const [a, b] = [new Side('a', kind), new Side('b', kind)]
        const seen: { heads: readonly string[]; value: JsonMap }[] = []
        const note = ({ document }: Side): void => {
          seen.push({ heads: document.heads, value: document.value })
        }
        note(a)
        for (const next of left) {
          a.write(a.document.value, next)
          note(a)
        }
        for (const next of right) {
          b.write(b.document.value, next)
          note(b)
        }
        a.take(b.made)
        b.take(a.made)
        note(a)
        a.write(a.document.value, { last: true })
        b.take(a.made)
        for (const { heads, value: expected } of seen) {
          expect(a.document.at(heads)).toEqual(expected)
          expect(b.document.at(heads)).toEqual(expected)
        }
      }),
      RUNS,
    )
  })

  test('history is every edit once, parents later (or earlier), the same on both replicas', () => {
    fc.assert(
      fc.property(value, values, values, kinds, (start, left, right, kind) => {
        const [a, b] = merged(start, left, right, kind)
        const newest = historyOf(a, 'newest')
        expect(historyOf(b, 'newest')).toEqual(newest)
        expect(historyOf(a, 'oldest')).toEqual([...newest].reverse())
        const made = [...a.made, ...b.made].map(({ hash }) => hash)
        expect(newest.map(({ hash }) => hash).sort()).toEqual(made.sort())
        newest.forEach(({ parents }, index) => {
          const before = new Set(newest.slice(index + 1).map(({ hash }) => hash))
          for (const parent of parents) expect(before.has(parent)).toBe(true)
        })
      }),
      RUNS,
    )
  })
})

describe('undo', () => {
  test('of the last edit gives back the value before it', () => {
    fc.assert(
      fc.property(values, value, kinds, (earlier, last, kind) => {
        const side = new Side('a', kind)
        for (const next of earlier) side.write(side.document.value, next)
        const before = side.document.value
        const made = side.made.length
        side.write(before, last)
        const edit = side.made[made]
        if (edit === undefined) return
        const { document } = side
        const { value: undone, left } = undoEdits(document, document.value, [edit.hash])
        side.write(document.value, undone)
        expect(left).toEqual([])
        expect(document.value).toEqual(before)
      }),
      RUNS,
    )
  })

  test('of all edits gives back what was before the first', () => {
    fc.assert(
      fc.property(value, values, kinds, (start, later, kind) => {
        const side = new Side('a', kind)
        side.write({}, start)
        const before = side.document.value
        const made = side.made.length
        for (const next of later) side.write(side.document.value, next)
        const hashes = side.made.slice(made).map(({ hash }) => hash)
        if (hashes.length === 0) return
        const { document } = side
        const { value: undone } = undoEdits(document, document.value, hashes.reverse())
        side.write(document.value, undone)
        expect(document.value).toEqual(before)
      }),
      RUNS,
    )
  })

  test('of any edit is a value that can be written, and the same at both', () => {
    fc.assert(
      fc.property(value, values, values, fc.nat(), kinds, (start, left, right, pick, kind) => {
        const [a, b] = merged(start, left, right, kind)
        const edits = historyOf(a, 'newest')
        const edit = edits[pick % Math.max(1, edits.length)]
        if (edit === undefined) return
        const undone = undoEdits(a.document, a.document.value, [edit.hash])
        expect(undoEdits(b.document, b.document.value, [edit.hash])).toEqual(undone)
        a.write(a.document.value, undone.value)
        expect(a.document.value).toEqual(kind === KIND ? shown(undone.value) : undone.value)
      }),
      RUNS,
    )
  })
})

describe('patches', () => {
  test('from one value to the next are exact, through edits and merges', () => {
    fc.assert(
      fc.property(value, values, values, kinds, (start, left, right, kind) => {
        const [a, b] = [new Side('a', kind), new Side('b', kind)]
        let last = b.document.value
        const check = (): void => {
          const { value: next } = b.document
          const patches = diffValues(last, next, kind.shape)
          expect(applyPatches(last, patches)).toEqual(next)
          expect(patches.length === 0).toBe(JSON.stringify(last) === JSON.stringify(next))
          for (const { op, path } of patches) expect([op, path.length > 0]).toEqual([op, true])
          last = next
        }
        a.write({}, start)
        b.take(a.made)
        check()
        for (const next of right) {
          b.write(b.document.value, next)
          check()
        }
        for (const next of left) a.write(a.document.value, next)
        for (const edit of a.made) {
          b.take([edit])
          check()
        }
      }),
      RUNS,
    )
  })

  test('what is read part by part is what is read anew', () => {
    fc.assert(
      fc.property(value, values, values, kinds, (start, left, right, kind) => {
        const [a, b] = [new Side('a', kind), new Side('b', kind)]
        a.write({}, start)
        b.take(a.made)
        // Each value is read, so that the parts of the next one may come from it.
        const fresh = (side: Side): JsonMap => side.document.at(side.document.heads)
        for (const next of left) {
          a.write(a.document.value, next)
          expect(a.document.value).toEqual(fresh(a))
        }
        for (const next of right) b.write(b.document.value, next)
        for (const edit of a.made) {
          b.take([edit])
          expect(b.document.value).toEqual(fresh(b))
        }
      }),
      RUNS,
    )
  })
})

describe('conflicts', () => {
  test('are the same on both replicas, the winner is shown, and writing settles them', () => {
    fc.assert(
      fc.property(value, values, values, kinds, (start, left, right, kind) => {
        const [a, b] = merged(start, left, right, kind)
        const paths = conflictPaths(a.document, 100)
        expect(conflictPaths(b.document, 100)).toEqual(paths)
        for (const path of paths) {
          const found = conflictsAt(a.document, path, nobody)
          expect(conflictsAt(b.document, path, nobody)).toEqual(found)
          expect(found.length).toBeGreaterThan(1)
          expect(found.map(({ wins }) => wins)).toEqual(found.map((_, index) => index === 0))
          const shownThere = at(a.document.value, path)
          // What is empty and the skeleton's is not shown.
          if (shownThere === undefined) expect(Object.keys(found[0]?.value ?? [0])).toEqual([])
          else expect(shownThere).toEqual(found[0]?.value)
        }
        // Looking at the losers changes nothing of the document itself.
        const before = a.document.value
        a.write(before, { settled: true })
        expect(a.document.value).toEqual({ settled: true })
        for (const path of conflictPaths(a.document, 100)) expect(at(before, path)).toBeUndefined()
      }),
      RUNS,
    )
  })
})
