import { createHash } from 'node:crypto'
import { isObject } from '../kubernetes/objects/read.ts'
import type { JsonObject } from '../kubernetes/objects/types.ts'
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
  /** The resources that it was started with. Default: not known. */
  readonly resources?: JsonObject | undefined
}

const HASH = 'tideway.io/hash'
const BACKOFF = 'tideway.io/backoff-ms'
const GRACE = 'tideway.io/grace-ms'
const RESOURCES = 'tideway.io/resources'
const GRACE_DEFAULT_MS = 30_000

/** Labels as the runtime keeps them. */
export function toLabels(labels: ContainerLabels): Readonly<Record<string, string>> {
  return {
    [HASH]: labels.hash,
    [BACKOFF]: String(labels.backoffMs),
    [GRACE]: String(labels.graceMs),
    ...(labels.resources === undefined ? {} : { [RESOURCES]: canonical(labels.resources) }),
  }
}

/** What {@link toLabels} wrote; defaults for what is missing. */
export function fromLabels(container: ContainerStatus): ContainerLabels {
  return {
    hash: container.labels[HASH] ?? '',
    backoffMs: wholeNumber(container.labels[BACKOFF]) ?? 0,
    graceMs: wholeNumber(container.labels[GRACE]) ?? GRACE_DEFAULT_MS,
    resources: jsonObject(container.labels[RESOURCES]),
  }
}

/** What somebody else wrote over it counts as missing. */
function jsonObject(text: string | undefined): JsonObject | undefined {
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
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
