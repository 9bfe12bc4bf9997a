/** What this process has used so far. */
export interface Usage {
  readonly cpuMs: number
  readonly rssBytes: number
  /** Heap in use and what lies outside it, after a collection where `--expose-gc` is given. */
  readonly heapBytes: number
  /** The largest resident memory since the start. */
  readonly rssPeakBytes: number
}

export function usage(): Usage {
  const cpuMs = cpuNowMs()
  globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  // Kilobytes, on every platform that Node runs on.
  const rssPeakBytes = process.resourceUsage().maxRSS * 1024
  return { cpuMs, rssBytes: rss, heapBytes: heapUsed + external, rssPeakBytes }
}

/** CPU of all threads of this process since its start. */
export function cpuNowMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Milliseconds of the machine's monotonic clock: the same in every process of it. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
