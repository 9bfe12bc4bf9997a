import { createHash } from 'node:crypto'
import type { ContainerStatus } from '../runtime/index.ts'
import { canonical } from './json.ts'
import type { ContainerView } from './pod-view.ts'

/** What edged keeps with each container in the runtime. It survives the agent, so nothing else has to. */
export interface ContainerLabels {
  readonly hash: string
  /** The wait after this run ends. */
  readonly backoffMs: number
  /** How long it gets to stop when its pod is no longer known. */
  readonly graceMs: number
}

const HASH = 'tideway.io/hash'
const BACKOFF = 'tideway.io/backoff-ms'
const GRACE = 'tideway.io/grace-ms'
const GRACE_DEFAULT_MS = 30_000

/** Labels as the runtime keeps them. */
export function toLabels(labels: ContainerLabels): Readonly<Record<string, string>> {
  return {
    [HASH]: labels.hash,
    [BACKOFF]: String(labels.backoffMs),
    [GRACE]: String(labels.graceMs),
  }
}

/** What {@link toLabels} wrote; defaults for what is missing. */
export function fromLabels(container: ContainerStatus): ContainerLabels {
  return {
    hash: container.labels[HASH] ?? '',
    backoffMs: wholeNumber(container.labels[BACKOFF]) ?? 0,
    graceMs: wholeNumber(container.labels[GRACE]) ?? GRACE_DEFAULT_MS,
  }
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined
}

/**
 * What tells one definition of a container from another. Resources are left out: they may change
 * without a restart.
 */
export function specHash(container: ContainerView): string {
  const { resources: _resources, ...rest } = container.json
  return createHash('sha256').update(canonical(rest)).digest('hex').slice(0, 16)
}
