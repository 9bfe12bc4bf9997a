import { describe, expect, test } from 'vitest'
import {
  createReconciler,
  type Reconciler,
  type ReconcilerOptions,
  retryDelayMs,
  TerminalError,
} from '../../../../src/adapters/reconciler/index.ts'
import { consoleLogger } from '../../../../src/system.ts'
import { ManualClock } from './manual-clock.ts'

/** No jitter up: every delay is half of the full one. */
const zeros = { fill: (target: Uint8Array) => target.fill(0) }
const ones = { fill: (target: Uint8Array) => target.fill(255) }

function make(
  reconcile: ReconcilerOptions['reconcile'],
  over: Partial<ReconcilerOptions> = {},
): { readonly reconciler: Reconciler; readonly clock: ManualClock } {
  const clock = new ManualClock()
  const logger = consoleLogger('silent')
  const backoff = { firstMs: 100, maxMs: 1_000 }
  const options = { reconcile, clock, random: zeros, logger, backoff, ...over }
  return { reconciler: createReconciler(options), clock }
}

/** A promise and the means to settle it. */
function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  let open: () => void = () => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { passed, open }
}

describe('the queue', () => {
  test('many hints for a key before it starts are one pass', async () => {
    const passes: string[] = []
    const { reconciler } = make(async (key) => {
      passes.push(key)
      return undefined
    })
    for (let index = 0; index < 10; index += 1) reconciler.hint('a')
    reconciler.hint('b')
    expect(passes).toEqual([])
    await reconciler.idle()
    expect(passes).toEqual(['a', 'b'])
  })

  test('hints during a pass lead to exactly one more, never to two at once', async () => {
    let running = 0
    let passes = 0
    const { passed, open } = gate()
    const { reconciler } = make(async () => {
      running += 1
      expect(running).toBe(1)
      passes += 1
      if (passes === 1) await passed
      running -= 1
      return undefined
    })
    reconciler.hint('a')
    await Promise.resolve()
    await Promise.resolve()
    reconciler.hint('a')
    reconciler.hint('a')
    open()
    await reconciler.idle()
    expect(passes).toBe(2)
  })

  test('no more keys than allowed are worked on at once', async () => {
    let running = 0
    let most = 0
    const { reconciler } = make(
      async () => {
        running += 1
        most = Math.max(most, running)
        await new Promise((resolve) => setImmediate(resolve))
        running -= 1
        return undefined
      },
      { parallelMax: 3 },
    )
    for (let index = 0; index < 20; index += 1) reconciler.hint(String(index))
    await reconciler.idle()
    expect(most).toBe(3)
  })

  test('a pass may ask for another one later', async () => {
    let passes = 0
    const { reconciler, clock } = make(async () => {
      passes += 1
      return passes === 1 ? { retryAfterMs: 5_000 } : undefined
    })
    reconciler.hint('a')
    await reconciler.idle()
    expect([passes, clock.nextMs]).toEqual([1, 5_000])
    clock.advance(5_000)
    await reconciler.idle()
    expect([passes, clock.nextMs]).toEqual([2, undefined])
  })
})

describe('failures', () => {
  test('are tried again with doubled waits, which a success forgets', async () => {
    const waits: (number | undefined)[] = []
    let failing = true
    const { reconciler, clock } = make(async () => {
      if (failing) throw new Error('not now')
      return undefined
    })
    reconciler.hint('a')
    for (let index = 0; index < 6; index += 1) {
      await reconciler.idle()
      waits.push(clock.nextMs)
      clock.advance(clock.nextMs ?? 0)
    }
    expect(waits).toEqual([50, 100, 200, 400, 500, 500])
    await reconciler.idle()
    failing = false
    clock.advance(500)
    await reconciler.idle()
    failing = true
    reconciler.hint('a')
    await reconciler.idle()
    expect(clock.nextMs).toBe(50)
    await reconciler.close()
  })

  test('of one key do not delay another', async () => {
    const done: string[] = []
    const { reconciler } = make(async (key) => {
      if (key === 'bad') throw new Error('not now')
      done.push(key)
      return undefined
    })
    reconciler.hint('bad')
    reconciler.hint('good')
    await reconciler.idle()
    expect(done).toEqual(['good'])
    await reconciler.close()
  })

  test('that are terminal are not tried again until the next hint', async () => {
    let passes = 0
    const { reconciler, clock } = make(async () => {
      passes += 1
      throw new TerminalError('never')
    })
    reconciler.hint('a')
    await reconciler.idle()
    expect([passes, clock.nextMs]).toEqual([1, undefined])
    reconciler.hint('a')
    await reconciler.idle()
    expect(passes).toBe(2)
  })

  test('a hint cuts a wait short', async () => {
    let passes = 0
    const { reconciler, clock } = make(async () => {
      passes += 1
      if (passes === 1) throw new Error('not now')
      return undefined
    })
    reconciler.hint('a')
    await reconciler.idle()
    reconciler.hint('a')
    await reconciler.idle()
    expect([passes, clock.nextMs]).toEqual([2, undefined])
  })
})

test('closing aborts what runs, waits for it, and leaves no timer', async () => {
  const seen: boolean[] = []
  const { reconciler, clock } = make(async (key, signal) => {
    if (key === 'later') return { retryAfterMs: 1_000 }
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    seen.push(signal.aborted)
    return undefined
  })
  reconciler.hint('later')
  reconciler.hint('long')
  await new Promise((resolve) => setImmediate(resolve))
  await reconciler.close()
  await reconciler.close()
  reconciler.hint('late')
  await reconciler.idle()
  expect([seen, clock.nextMs]).toEqual([[true], undefined])
})

test.each([
  [1, zeros, 50],
  [1, ones, 100],
  [2, zeros, 100],
  [4, ones, 800],
  [5, ones, 1_000],
  [1_000, ones, 1_000],
])(
  'after %i failures the wait lies between half and all of the full one',
  (failures, random, ms) => {
    const delay = retryDelayMs(failures, { firstMs: 100, maxMs: 1_000 }, random)
    expect(delay).toBeCloseTo(ms, 3)
  },
)
