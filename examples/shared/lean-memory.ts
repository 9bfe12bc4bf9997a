import { constants, PerformanceObserver, type PerformanceObserverEntryList } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** How much the old generation may grow until it is collected again: V8 would let it become four times as large. */
const OLD_GROWTH_PERCENT = 30

/** How large the young generation becomes, both halves together: V8 would let it have 32 MiB. */
const YOUNG_BYTES_MAX = 8 << 20

/** How long after the program has become quiet its garbage is collected once more: V8 would wait for 8 s. */
const QUIET_MS = 1_500

/** How many collections the compiled code of a function outlives that does not run: V8 would keep it for 5. */
const UNUSED_COLLECTIONS = 1

/** How long a start takes at most: after that V8 does as it always does, as each such collection costs CPU. */
const START_MS = 60_000

/** After so many full collections a start is over as well: a program that makes that much garbage is at work. */
const START_COLLECTIONS_MAX = 6

/**
 * Makes V8 keep less memory than it takes for good on a machine that has plenty: garbage is collected
 * earlier and what is left put together, code that only the start needs is given up soon, and WASM is optimized
 * by one thread at a time, as each keeps the memory that it once needed.
 * To be called first. It holds for the whole process.
 */
export function keepMemoryLow(): void {
  setFlagsFromString(`--heap-growing-percent=${OLD_GROWTH_PERCENT}`)
  setFlagsFromString('--memory-reducer-single-gc')
  const start = giveBackTheStart()
  setFlagsFromString('--wasm-num-compilation-tasks=1')
  boundYoungGeneration()
  // Its limit itself is read before any JavaScript runs; how it grows towards that is read each time.
  const observer = new PerformanceObserver((list) => {
    boundYoungGeneration()
    start.collected(fullCollectionsIn(list))
  })
  observer.observe({ entryTypes: ['gc'] })
}

/** @returns who wants to hear of full collections. */
function giveBackTheStart(): { collected(count: number): void } {
  setFlagsFromString('--compact-on-every-full-gc')
  setFlagsFromString(`--gc-memory-reducer-start-delay-ms=${QUIET_MS}`)
  setFlagsFromString(`--bytecode-old-age=${UNUSED_COLLECTIONS}`)
  let collections = 0
  const compactNoMore = (): void => setFlagsFromString('--no-compact-on-every-full-gc')
  const restore = setTimeout(() => {
    compactNoMore()
    setFlagsFromString('--gc-memory-reducer-start-delay-ms=8000')
  }, START_MS)
  restore.unref()
  return {
    collected: (count) => {
      if (count > 0 && collections < START_COLLECTIONS_MAX) {
        collections += count
        if (collections >= START_COLLECTIONS_MAX) compactNoMore()
      }
    },
  }
}

function fullCollectionsIn(list: PerformanceObserverEntryList): number {
  // The types of Node do not know what an entry says of a collection.
  const entries: readonly { readonly detail?: { readonly kind?: number } }[] = list.getEntries()
  return entries.filter(({ detail }) => detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR).length
}

function boundYoungGeneration(): void {
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')
  const mayGrow = (young?.space_size ?? 0) < YOUNG_BYTES_MAX
  setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`)
}
