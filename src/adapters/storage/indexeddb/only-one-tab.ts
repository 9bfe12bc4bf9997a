/** What {@link onlyOneTab} runs. It returns what ends it. */
export type TabWork = () => (() => Promise<void> | void) | Promise<() => Promise<void> | void>

/** A tab's claim on something that one tab does for all of them. */
export interface TabClaim {
  /** Whether it is this tab that does it now. */
  readonly isActive: boolean
  /** Ends the work here, if it runs here; another tab takes over. Idempotent. */
  close(): Promise<void>
}

/**
 * Runs `work` in one tab of an origin at a time: in this one when no other does it, and as soon as the one
 * that does is closed, reloaded or crashed. So one tab connects to the cloud for all that share a storage:
 *
 * ```ts
 * const claim = onlyOneTab('uplink', () => {
 *   const uplink = replica.connect({ transport: webSocket(), address, collections })
 *   return () => uplink.close()
 * })
 * ```
 *
 * Built on Web Locks, which browsers have on pages from HTTPS and from localhost. What `work` throws is
 * reported as an error of the page, and the next tab in line has its turn.
 */
export function onlyOneTab(name: string, work: TabWork): TabClaim {
  const waiting = new AbortController()
  let isActive = false
  let isClosed = false
  let end: () => void = () => undefined
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const run = async (): Promise<void> => {
    if (isClosed) return
    isActive = true
    try {
      const stop = await work()
      await ended
      await stop()
    } catch (error) {
      reportError(error)
    } finally {
      isActive = false
    }
  }
  const finished = navigator.locks
    .request(`tideway/tab/${name}`, { signal: waiting.signal }, run)
    .catch((error: unknown) => {
      if (!waiting.signal.aborted) reportError(error)
    })
  return {
    get isActive() {
      return isActive
    },
    async close() {
      isClosed = true
      end()
      waiting.abort()
      await finished
    },
  }
}
