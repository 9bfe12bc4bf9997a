import { describe, expect, test } from 'vitest'
import { RANGE_DEPTH_MAX, RANGE_SPLITS_MAX } from '../../../../src/core/sync/limits.ts'
import { ReconcileAnswerer } from '../../../../src/core/sync/reconcile-answerer.ts'
import { ReconcileAsker } from '../../../../src/core/sync/reconcile-asker.ts'
import type {
  AskEntriesFrame,
  AskRangesFrame,
  RangeAnswer,
} from '../../../../src/core/sync/reconcile-frames.ts'

const mark = (byte: number): Uint8Array => new Uint8Array(8).fill(byte)
const RANGE = { collection: 'c', from: '', to: undefined, fingerprint: mark(1) }

/** An asker with its first question open. */
function asking(): { readonly asker: ReconcileAsker; readonly question: AskRangesFrame } {
  const asker = new ReconcileAsker()
  asker.begin(['c'])
  expect(asker.next()).toEqual({ type: 'step', step: { type: 'begin', collections: ['c'] } })
  asker.handleStep({ type: 'begin', ranges: [RANGE] })
  return { asker, question: frameOf(asker) }
}

function frameOf(asker: ReconcileAsker): AskRangesFrame {
  const work = asker.next()
  if (work?.type !== 'frame' || work.frame.type !== 'ask-ranges') throw new Error('it asks')
  return work.frame
}

describe('who asks', () => {
  test('is done when all is equal', () => {
    const { asker, question } = asking()
    expect(question.ranges).toEqual([RANGE])
    expect(asker.next()).toBeUndefined()
    asker.handleRanges({ type: 'tell-ranges', question: 1, answers: [{ kind: 'equal' }] })
    expect(asker.idle).toBe(true)
    expect(asker.questions).toBe(1)
  })

  test.each<readonly [string, RangeAnswer]>([
    ['parts that end elsewhere', { kind: 'parts', parts: [part('m'), part('z')] }],
    ['one part', { kind: 'parts', parts: [part(undefined)] }],
  ])('does not take %s', (_, answer) => {
    const { asker } = asking()
    const wrong = asker.handleRanges({ type: 'tell-ranges', question: 1, answers: [answer] })
    expect(wrong?.code).toBe('PROTOCOL_REMOTE')
  })

  test('does not take documents outside of the range, or that it is equal when nothing was compared', () => {
    const { asker } = asking()
    asker.handleRanges({
      ...{ type: 'tell-ranges', question: 1 },
      answers: [{ kind: 'parts', parts: [part('m'), part(undefined)] }],
    })
    expect(asker.next()).toMatchObject({ step: { type: 'compare' } })
    const range = { collection: 'c', from: '', to: 'm', fingerprint: undefined }
    asker.handleStep({ type: 'compare', ranges: [range], differences: [], rest: [] })
    expect(frameOf(asker).ranges).toEqual([range])
    const documents = [{ document: 'n', fingerprint: mark(2) }]
    for (const answer of [{ kind: 'documents', documents }, { kind: 'equal' }] as const) {
      const other = new ReconcileAsker()
      other.begin(['c'])
      other.next()
      other.handleStep({ type: 'begin', ranges: [range] })
      frameOf(other)
      const wrong = other.handleRanges({ type: 'tell-ranges', question: 1, answers: [answer] })
      expect(wrong?.code).toBe('PROTOCOL_REMOTE')
    }
  })

  test('asks again about what was not answered, and has three questions open at most', () => {
    const asker = new ReconcileAsker()
    asker.begin(['c'])
    asker.next()
    const ranges = Array.from({ length: 200 }, (_, i) => ({ ...RANGE, collection: `c${i}` }))
    asker.handleStep({ type: 'begin', ranges })
    const open = [frameOf(asker), frameOf(asker), frameOf(asker)]
    expect(asker.next()).toBeUndefined()
    const [first] = open
    if (first === undefined) throw new Error('it asks')
    asker.handleRanges({
      type: 'tell-ranges',
      question: first.question,
      answers: [{ kind: 'equal' }],
    })
    const again = frameOf(asker)
    expect(again.ranges.some(({ collection }) => collection === first.ranges[1]?.collection)).toBe(
      true,
    )
    expect(again.ranges.some(({ collection }) => collection === first.ranges[0]?.collection)).toBe(
      false,
    )
  })

  test('gives up on answers that lead nowhere, with a bounded number of ranges waiting', () => {
    const { asker } = asking()
    let answers = 0
    for (let question = 1; !asker.endless && answers < 10_000; question += 1) {
      const parts = Array.from({ length: 127 }, (_, i) => part(String(1_000 + i)))
      const answer: RangeAnswer = { kind: 'parts', parts: [...parts, part(undefined)] }
      asker.handleRanges({ type: 'tell-ranges', question, answers: [answer] })
      answers += 1
      const work = asker.next()
      if (work?.type === 'step' && work.step.type === 'compare') {
        // Every part differs, whatever it is asked.
        const ranges = Array.from({ length: 128 }, () => ({ ...RANGE, fingerprint: undefined }))
        asker.handleStep({ type: 'compare', ranges, differences: [], rest: [] })
      }
      asker.next()
    }
    expect(asker.endless).toBe(true)
    expect(answers).toBeLessThan(1_000)
  })

  test('is told by an answer that splits a range deeper than any honest one', () => {
    const { asker } = asking()
    const tell = (question: number) =>
      asker.handleRanges({
        ...{ type: 'tell-ranges', question },
        answers: [{ kind: 'parts', parts: [part('m'), part(undefined)] }],
      })
    for (let depth = 1; depth <= RANGE_DEPTH_MAX; depth += 1) {
      expect(tell(depth)).toBeUndefined()
      asker.next()
      const ranges = [{ ...RANGE, fingerprint: undefined, depth }]
      asker.handleStep({ type: 'compare', ranges, differences: [], rest: [] })
      frameOf(asker)
    }
    expect(tell(RANGE_DEPTH_MAX + 1)?.code).toBe('PROTOCOL_LIMIT_EXCEEDED')
  })

  test('has as many splits as the differences that were found need, and no more', () => {
    const { asker } = asking()
    const differences = Array.from({ length: 10 }, (_, i) => ({
      collection: 'c',
      document: `d${i}`,
    }))
    const splitsMax = RANGE_SPLITS_MAX + 10 * RANGE_DEPTH_MAX
    for (let split = 1; split <= splitsMax + 1; split += 1) {
      expect(asker.endless).toBe(false)
      asker.handleRanges({
        ...{ type: 'tell-ranges', question: split },
        answers: [{ kind: 'parts', parts: [part('m'), part(undefined)] }],
      })
      asker.next()
      const found = split === 1 ? differences : []
      asker.handleStep({ type: 'compare', ranges: [RANGE], differences: found, rest: [] })
      frameOf(asker)
    }
    expect(asker.endless).toBe(true)
  })

  test('takes wants only of what it asked about', () => {
    const { asker } = asking()
    const documents = [{ document: 'a', fingerprint: mark(2) }]
    asker.handleRanges({
      ...{ type: 'tell-ranges', question: 1 },
      answers: [{ kind: 'documents', documents }],
    })
    asker.next()
    const differences = [{ collection: 'c', document: 'a' }]
    asker.handleStep({ type: 'compare', ranges: [], differences, rest: [] })
    expect(asker.next()).toMatchObject({ step: { type: 'states', documents: ['a'] } })
    const state = { document: 'a', home: 'here', generation: 1, moves: 0, names: mark(3) } as const
    const frame = asker.handleStep({ type: 'states', documents: [state], taken: 1, leaves: [] })
    expect(frame).toMatchObject({ type: 'ask-entries', question: 2, collection: 'c' })
    const tell = (document: string) => {
      const wants = [{ document, whole: false, names: mark(3) }]
      return asker.handleWants({ type: 'tell-entries', question: 2, follows: true, wants })
    }
    expect(tell('a')).toEqual([{ document: 'a', collection: 'c', whole: false, names: mark(3) }])
    expect(tell('a')).toMatchObject({ code: 'PROTOCOL_REMOTE' })
    expect(asker.handleDelivered(2, false)).toBe(true)
    expect(asker.idle).toBe(false)
    expect(asker.handleDelivered(2, true)).toBe(true)
    expect(asker.idle).toBe(true)
    expect(asker.handleDelivered(2, true)).toBe(false)
  })
})

describe('who answers', () => {
  const ask = (question: number): AskRangesFrame => ({
    ...{ type: 'ask-ranges', question },
    ranges: [RANGE],
  })

  test('answers one question after the other, and closes on a fourth', () => {
    const answerer = new ReconcileAnswerer()
    expect(answerer.ask(ask(1))).toBeUndefined()
    expect(answerer.ask(ask(2))).toBeUndefined()
    expect(answerer.next(0)).toMatchObject({ type: 'ranges', ranges: [RANGE] })
    expect(answerer.next(0)).toBeUndefined()
    expect(answerer.ask(ask(3))).toBeUndefined()
    expect(answerer.ask(ask(4))?.code).toBe('PROTOCOL_LIMIT_EXCEEDED')
    const told = answerer.handleStep({ type: 'ranges', answers: [{ kind: 'equal' }], cost: 1 })
    expect(told?.frame).toEqual({ type: 'tell-ranges', question: 1, answers: [{ kind: 'equal' }] })
    expect(answerer.next(0)).toMatchObject({ type: 'ranges' })
  })

  test('lets a peer wait that has used up its allowance', () => {
    const answerer = new ReconcileAnswerer()
    answerer.ask(ask(1))
    answerer.next(1_000)
    answerer.handleStep({ type: 'ranges', answers: [{ kind: 'equal' }], cost: 2_025_000 })
    answerer.ask(ask(2))
    expect(answerer.next(1_000)).toBeUndefined()
    const dueMs = answerer.dueMs
    expect(dueMs).toBeGreaterThan(1_900)
    expect(dueMs).toBeLessThan(2_100)
    expect(answerer.next((dueMs ?? 0) - 20)).toBeUndefined()
    expect(answerer.next((dueMs ?? 0) + 1)).toMatchObject({ type: 'ranges' })
  })

  test('has a question open until all that it asked for is sent', () => {
    const answerer = new ReconcileAnswerer()
    const state = { document: 'a', home: 'none', generation: 0, moves: 0 } as const
    const entries = (question: number): AskEntriesFrame => ({
      ...{ type: 'ask-entries', question, collection: 'c' },
      documents: [{ ...state, names: new Uint8Array(0) }],
    })
    const delivery = { document: 'a', collection: 'c', whole: false, names: undefined }
    for (let question = 1; question <= 3; question += 1) {
      answerer.ask(entries(question))
      answerer.next(0)
      answerer.handleStep({ type: 'entries', wants: [], deliveries: [delivery], cost: 1 })
    }
    expect(answerer.ask(entries(4))?.code).toBe('PROTOCOL_LIMIT_EXCEEDED')
    answerer.delivered(2)
    expect(answerer.ask(entries(3))?.code).toBe('PROTOCOL_REMOTE')
    expect(answerer.ask(entries(4))).toBeUndefined()
    expect(answerer.idle).toBe(false)
  })
})

function part(to: string | undefined): { to: string | undefined; fingerprint: Uint8Array } {
  return { to, fingerprint: mark(9) }
}
