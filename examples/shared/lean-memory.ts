import { constants, PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8'

/** How much the old generation may grow until it is collected again: V8 would let it become four times as large. */
const OLD_GROWTH_PERCENT = 30

/** While a program is at work that may be so many bytes at least: a small heap would be collected all the time. */
const WORK_GROWTH_BYTES = 16 << 20

/** A program is at work when its full collections follow one another so soon. */
const WORK_MS = 2_000

/** How large the young generation becomes, both halves together: V8 would let it have 32 MiB. */
const YOUNG_BYTES_MAX = 8 << 20

/** How long after the program has become quiet its garbage is collected once more: V8 would wait for 8 s. */
const QUIET_MS = 1_500

/** How many collections the compiled code of a function outlives that does not run: V8 would keep it for 5. */
const UNUSED_COLLECTIONS = 1

/** How long a start takes at most: after that V8 does as it always does, as each such collection costs CPU. */
const START_MS = 60_000

/**
 * What a start took is put together by the next collection when there was none for so long, and so by the one
 * that comes after {@link QUIET_MS}. A program at work is collected sooner, and would do it over and over.
 */
const UNCOLLECTED_MS = 1_000

/** So many full collections have a start, and not more. */
const START_COLLECTIONS_MAX = 8

/** After the start the old generation is put together where so much of it is free between what is used. */
const HOLES_SHARE_MIN = 0.25

/**
 * Makes V8 keep less memory than it takes for good on a machine that has plenty: garbage is collected
 * earlier and what is left put together, code that only the start needs is given up soon, and WASM is optimized
 * by one thread at a time, as each keeps the memory that it once needed.
 * To be called first. It holds for the whole process.
 */
export function keepMemoryLow(): void {
  growBy(OLD_GROWTH_PERCENT)
  setFlagsFromString('--memory-reducer-single-gc')
  const heap = putTogether()
  setFlagsFromString('--wasm-num-compilation-tasks=1')
  boundYoungGeneration()
  let lastMs = 0
  // Its limit itself is read before any JavaScript runs; how it grows towards that is read each time.
  const observer = new PerformanceObserver((list) => {
    boundYoungGeneration()
    // The types of Node do not know what an entry says of a collection.
    const entries: readonly Collection[] = list.getEntries()
    for (const { startTime, detail } of entries) {
      if (detail?.kind !== constants.NODE_PERFORMANCE_GC_MAJOR) continue
      growBy(growthPercent(getHeapStatistics().used_heap_size, startTime - lastMs))
      lastMs = startTime
      heap.collected()
    }
  })
  observer.observe({ entryTypes: ['gc'] })
}

interface Collection {
  readonly startTime: number
  readonly detail?: { readonly kind?: number }
}

/**
 * How much the old generation may grow until it is collected again, in percent.
 *
 * @param usedBytes how large the heap is.
 * @param sinceMs how long it took until this collection became due.
 */
export function growthPercent(usedBytes: number, sinceMs: number): number {
  if (sinceMs > WORK_MS) return OLD_GROWTH_PERCENT
  return Math.max(OLD_GROWTH_PERCENT, Math.ceil((WORK_GROWTH_BYTES / usedBytes) * 100))
}

function growBy(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`)
}

/**
 * Has the next full collection put together what the heap holds, where it comes {@link UNCOLLECTED_MS} after the one
 * before or later: eight times at most during the start, and afterwards where there are holes enough.
 *
 * @returns who is to be told of each full collection.
 */
function putTogether(): { collected(): void } {
  const compact = (): void => setFlagsFromString('--compact-on-every-full-gc')
  const compactNoMore = (): void => setFlagsFromString('--no-compact-on-every-full-gc')
  compact()
  setFlagsFromString(`--gc-memory-reducer-start-delay-ms=${QUIET_MS}`)
  setFlagsFromString(`--bytecode-old-age=${UNUSED_COLLECTIONS}`)
  let left = START_COLLECTIONS_MAX
  const again = setTimeout(() => {
    if (left > 0 || holesShare() >= HOLES_SHARE_MIN) compact()
  }, UNCOLLECTED_MS)
  again.unref()
  const endOfStart = setTimeout(() => {
    left = 0
    compactNoMore()
    setFlagsFromString('--gc-memory-reducer-start-delay-ms=8000')
  }, START_MS)
  endOfStart.unref()
  return {
    collected: () => {
      left -= 1
      compactNoMore()
      again.refresh()
    },
  }
}

/** How much of the old generation is free, of what it takes of memory. */
function holesShare(): number {
  const old = getHeapSpaceStatistics().find((space) => space.space_name === 'old_space')
  if (old === undefined || old.physical_space_size === 0) return 0
  return 1 - old.space_used_size / old.physical_space_size
}

function boundYoungGeneration(): void {
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')
  const mayGrow = (young?.space_size ?? 0) < YOUNG_BYTES_MAX
  setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`)
}
