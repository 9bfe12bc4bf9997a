import type { ContainerUsage, DiskUse } from '../../runtime/index.ts'
import { allContainers, type PodView } from '../pod-view.ts'
import { containerRequestOf, priorityOf, requestOf, requestText } from './pod-resources.ts'
import type { Signal, StarvedResource } from './signals.ts'
import type { PodDisk } from './storage-limits.ts'
import type { Candidate } from './victims.ts'
import type { Overuse } from './words.ts'

/** What a pod uses. */
export interface PodUse {
  /** Undefined: it has not begun. */
  readonly containers: readonly ContainerUsage[] | undefined
  readonly disk: PodDisk
}

/** A pod that may have to go. */
export interface PodCandidate extends Candidate {
  readonly pod: PodView
}

/** Which of what a pod has on disks is on the one that runs short. */
export type DiskParts = readonly (keyof PodDisk)[]

/** What a signal is about, where images and what containers write may have a disk of their own. */
export function diskPartsOf(signal: Signal, isImageDiskApart: boolean): DiskParts {
  if (!isImageDiskApart) return ['roots', 'logs', 'volumes']
  return signal.startsWith('imagefs') ? ['roots'] : ['logs', 'volumes']
}

/** A pod with what it uses of what runs short. */
export function candidateOf(
  pod: PodView,
  use: PodUse,
  resource: StarvedResource,
  parts: DiskParts,
): PodCandidate {
  const { containers = [] } = use
  const plain = { pod, uid: pod.uid, priority: priorityOf(pod) }
  const sum = (of: (container: ContainerUsage) => number): number | undefined =>
    use.containers === undefined
      ? undefined
      : containers.reduce((all, container) => all + of(container), 0)
  switch (resource) {
    case 'memory': {
      const requested = requestOf(pod, 'memory')
      return { ...plain, used: sum(({ memoryBytes }) => memoryBytes), requested }
    }
    case 'pids':
      return { ...plain, used: sum(({ processes = 0 }) => processes), requested: undefined }
    case 'ephemeral-storage':
    case 'inodes': {
      const isBytes = resource === 'ephemeral-storage'
      const all = parts.flatMap((part) => [...use.disk[part].values()])
      const used = all.reduce((total, each) => total + (isBytes ? each.bytes : each.inodes), 0)
      const requested = isBytes ? requestOf(pod, 'ephemeral-storage') : 0
      return { ...plain, used: use.containers === undefined ? undefined : used, requested }
    }
  }
}

/** The containers of a pod that use more than they asked for. */
export function overuseOf(
  pod: PodView,
  use: PodUse,
  resource: StarvedResource,
): readonly Overuse[] {
  if (resource !== 'memory' && resource !== 'ephemeral-storage') return []
  const { containers = [], disk } = use
  const written = ({ name }: { readonly name: string }): number =>
    bytesOf(disk.roots.get(name)) + bytesOf(disk.logs.get(name))
  const own = allContainers(pod)
  return containers.flatMap((usage) => {
    const view = own.find(({ name }) => name === usage.name)
    if (view === undefined) return []
    const usedBytes = resource === 'memory' ? usage.memoryBytes : written(usage)
    const text = requestText(view, resource)
    const isOver = usedBytes > containerRequestOf(view, resource)
    return isOver ? [{ container: usage.name, usedBytes, request: text }] : []
  })
}

function bytesOf(use: DiskUse | undefined): number {
  return use?.bytes ?? 0
}
