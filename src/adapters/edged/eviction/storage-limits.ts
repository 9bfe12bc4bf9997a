import { canonicalQuantity, parseWhole } from '../../kubernetes/objects/quantity.ts'
import type { DiskUse } from '../../runtime/index.ts'
import { asObject, asText } from '../json.ts'
import { allContainers, type PodView } from '../pod-view.ts'
import { storageLimitOf } from './pod-resources.ts'
import { containerStorageMessage, podStorageMessage, volumeMessage } from './words.ts'

/** What a pod has on the disks of its node. */
export interface PodDisk {
  /** By volume; volumes of the machine and in memory are left out. */
  readonly volumes: ReadonlyMap<string, DiskUse>
  /** The logs of its containers, by container. */
  readonly logs: ReadonlyMap<string, DiskUse>
  /** What its containers have written elsewhere, by container, as far as the runtime tells. */
  readonly roots: ReadonlyMap<string, DiskUse>
}

/** Whether anything of a pod's use of disks is limited, so that it has to be measured. */
export function hasStorageLimits(pod: PodView): boolean {
  return storageLimitOf(pod) !== undefined || limitedVolumes(pod).length > 0
}

/**
 * Which of its limits a pod has passed, in kubelet's words; undefined when none.
 *
 * @param isImageDiskApart what containers write outside of volumes is not on the disk of the node, and
 * then does not count against the limit of a container.
 */
export function storageExcess(
  pod: PodView,
  disk: PodDisk,
  isImageDiskApart: boolean,
): string | undefined {
  for (const { name, text, bytes } of limitedVolumes(pod)) {
    if ((disk.volumes.get(name)?.bytes ?? 0) > bytes) return volumeMessage(name, text)
  }
  const together = storageLimitOf(pod)
  if (together === undefined) return undefined
  if (allBytes(disk) > (parseWhole(together) ?? 0)) return podStorageMessage(together)
  for (const { name, limits } of allContainers(pod)) {
    const limit = asText(limits['ephemeral-storage'])
    const bytesMax = parseWhole(limit) ?? 0
    if (limit === undefined || bytesMax === 0) continue
    const rootBytes = isImageDiskApart ? 0 : (disk.roots.get(name)?.bytes ?? 0)
    if ((disk.logs.get(name)?.bytes ?? 0) + rootBytes > bytesMax)
      return containerStorageMessage(name, canonicalQuantity(limit) ?? limit)
  }
  return undefined
}

/** What a pod has on disks, all together. */
function allBytes({ volumes, logs, roots }: PodDisk): number {
  const all = [...volumes.values(), ...logs.values(), ...roots.values()]
  return all.reduce((sum, { bytes }) => sum + bytes, 0)
}

function limitedVolumes(
  pod: PodView,
): readonly { readonly name: string; readonly text: string; readonly bytes: number }[] {
  return pod.volumes.flatMap((volume) => {
    const emptyDir = asObject(volume['emptyDir'])
    const name = asText(volume['name'])
    const text = canonicalQuantity(asText(emptyDir['sizeLimit']) ?? '')
    const bytes = parseWhole(text) ?? 0
    // One in memory cannot be larger than it is.
    if (name === undefined || text === undefined || bytes <= 0) return []
    return emptyDir['medium'] === 'Memory' ? [] : [{ name, text, bytes }]
  })
}
