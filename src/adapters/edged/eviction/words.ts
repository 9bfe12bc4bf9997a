import { canonicalQuantity } from '../../kubernetes/objects/quantity.ts'
import type { Observation, PressureCondition, StarvedResource } from './signals.ts'
import { amountIn, type Threshold } from './thresholds.ts'

/** A container that uses more than it asked for. */
export interface Overuse {
  readonly container: string
  readonly usedBytes: number
  /** As the pod says it, `0` for nothing. */
  readonly request: string
}

/** What kubelet calls it, as a reason of pods and of events. */
export const EVICTED = 'Evicted'

const KIBI = 1024
const SUFFIXES = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const

/** A number of bytes as Kubernetes writes it: in the largest unit of which it is a whole number. */
export function byteText(bytes: number): string {
  if (Math.abs(bytes) < KIBI) return countText(bytes)
  let value = bytes
  let power = 0
  while (value % KIBI === 0 && power < SUFFIXES.length - 1) {
    value /= KIBI
    power += 1
  }
  return `${value}${SUFFIXES[power] ?? ''}`
}

function countText(count: number): string {
  return canonicalQuantity(String(count)) ?? String(count)
}

/** Why a pod was evicted from a node that runs short of something. */
export function evictionMessage(
  resource: StarvedResource,
  threshold: Threshold,
  observed: Observation,
  overuse: readonly Overuse[],
): string {
  const { value } = threshold
  const quantity = value.type === 'quantity' ? value.text : byteText(amountIn(value, observed))
  const isCount = resource === 'inodes' || resource === 'pids'
  const available = isCount ? countText(observed.available) : byteText(observed.available)
  return [
    `The node was low on resource: ${resource}. `,
    `Threshold quantity: ${quantity}, available: ${available}. `,
    ...overuse.map(
      ({ container, usedBytes, request }) =>
        `Container ${container} was using ${byteText(usedBytes)}, request is ${request}, has larger consumption of ${resource}. `,
    ),
  ].join('')
}

const STATUS_REASONS: Readonly<Record<PressureCondition, readonly [short: string, fine: string]>> =
  {
    MemoryPressure: ['NodeHasInsufficientMemory', 'NodeHasSufficientMemory'],
    DiskPressure: ['NodeHasDiskPressure', 'NodeHasNoDiskPressure'],
    PIDPressure: ['NodeHasInsufficientPID', 'NodeHasSufficientPID'],
  }

/** The reason of the event that tells that a condition of the node has come or gone. */
export function statusReason(condition: PressureCondition, isShort: boolean): string {
  return STATUS_REASONS[condition][isShort ? 0 : 1]
}

/** Why a pod was not let in. */
export function refusalMessage(conditions: readonly PressureCondition[]): string {
  return `The node had condition: [${conditions.join(' ')}]. `
}

/** Why a pod was evicted that fills a volume. */
export function volumeMessage(volume: string, limit: string): string {
  return `Usage of EmptyDir volume ${JSON.stringify(volume)} exceeds the limit ${JSON.stringify(limit)}. `
}

/** Why a pod was evicted that has written more than its containers may together. */
export function podStorageMessage(limit: string): string {
  return `Pod ephemeral local storage usage exceeds the total limit of containers ${limit}. `
}

/** Why a pod was evicted one of whose containers has written more than it may. */
export function containerStorageMessage(container: string, limit: string): string {
  return `Container ${container} exceeded its local ephemeral storage limit ${JSON.stringify(limit)}. `
}
