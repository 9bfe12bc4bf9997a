/** The period over which a CPU quota counts, in microseconds; what kubelet uses. */
export const CPU_PERIOD_US = 100_000
/** The shares of a whole CPU: what a group has that asks for nothing. */
export const SHARES_PER_CPU = 1024
/** The kernel refuses fewer. */
export const SHARES_MIN = 2

/** The kernel refuses quotas below one millisecond. */
const CPU_QUOTA_US_MIN = 1_000
const MILLIS_PER_CPU = 1_000

/** The CPU time that a limit allows in each {@link CPU_PERIOD_US}, in microseconds. */
export function cpuQuotaUs(cpuMillis: number): number {
  return Math.max(CPU_QUOTA_US_MIN, Math.floor((cpuMillis * CPU_PERIOD_US) / MILLIS_PER_CPU))
}

/** The share of CPU under contention that a request stands for. */
export function cpuShares(cpuRequestMillis: number): number {
  return Math.max(SHARES_MIN, Math.floor((cpuRequestMillis * SHARES_PER_CPU) / MILLIS_PER_CPU))
}
