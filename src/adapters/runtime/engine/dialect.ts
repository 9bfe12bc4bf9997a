import type { ResourceMessage } from './messages.ts'

/** In what engines differ that have the same API. */
export interface Dialect {
  readonly name: 'docker' | 'podman'
  /** Whether the log of a container is written where it is wanted, in the format that is wanted. */
  readonly writesLogs: boolean
  /** Whether who shares a network has its host name with it, and may not say it again. */
  readonly sharesHostname: boolean
  /** Whether a filter of system calls is given by its path; else by its text. */
  readonly readsSeccomp: boolean
  /**
   * What the engine lays over a root file system that cannot be written: directories that can be, but
   * for those that are mounted otherwise.
   */
  readonly writableAnyway: readonly string[]
  /** Whether it says that a container was ended because its memory was short: conmon 2.1.6 does not. */
  readonly tellsOom: boolean
  /** No container is kept alive more willingly than this: where root may not lower a score. */
  readonly oomScoreMin: number
  /** Whether cgroups are made by systemd, which has names of its own for them. */
  readonly hasSlices: boolean
}

/** A call for which podman has a path of its own. */
export interface UpdateCall {
  readonly path: string
  readonly body: unknown
}

/** What podman's own part of the API begins with: every version since 4 has it. */
export const LIBPOD = '/v4.0.0/libpod'

/** What changes the limits of a container. */
export function updateCall({ name }: Dialect, id: string, resources: ResourceMessage): UpdateCall {
  const { Memory, MemorySwap, CpuPeriod, CpuQuota, CpuShares } = resources
  if (name === 'docker') return { path: `/containers/${id}/update`, body: resources }
  return {
    path: `/containers/${id}/update`,
    body: {
      ...(Memory === undefined ? {} : { memory: { limit: Memory, swap: MemorySwap } }),
      cpu: { shares: CpuShares, period: CpuPeriod, quota: CpuQuota },
    },
  }
}
