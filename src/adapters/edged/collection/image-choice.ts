/** An image, and how long it has not been used. */
export interface ImageRecord {
  readonly id: string
  readonly sizeBytes: number
  /** When it was seen first. */
  readonly seenAtMs: number
  /** When it was last in use; undefined: not since it was seen first. */
  readonly usedAtMs: number | undefined
  /** Something needs it now. */
  readonly isInUse: boolean
}

/** When images are removed. */
export interface ImageLimits {
  /** From this part of the disk on, in percent. */
  readonly highPercent: number
  /** Until this part of the disk is used, in percent. */
  readonly lowPercent: number
  /** None that is younger than this. */
  readonly ageMsMin: number
}

/** How much has to be freed on the disk of images, in bytes; 0 while it is not too full. */
export function bytesToFree(
  disk: { readonly available: number; readonly capacity: number },
  { highPercent, lowPercent }: ImageLimits,
): number {
  if (highPercent >= 100 || disk.capacity <= 0 || usedPercent(disk) < highPercent) return 0
  const wanted = Math.trunc((disk.capacity * (100 - lowPercent)) / 100)
  return Math.max(wanted - Math.min(disk.available, disk.capacity), 0)
}

/** How full a disk is, in whole percent, as kubelet counts. */
export function usedPercent({
  available,
  capacity,
}: {
  readonly available: number
  readonly capacity: number
}): number {
  return 100 - Math.trunc((Math.min(available, capacity) * 100) / capacity)
}

/**
 * The images that may go, in the order in which they do: who was not used for longest first. None that
 * is in use, and none that has just come, as it may be about to be used.
 */
export function removableImages(
  images: readonly ImageRecord[],
  ageMsMin: number,
  nowMs: number,
): readonly ImageRecord[] {
  const usedMs = ({ usedAtMs }: ImageRecord): number => usedAtMs ?? 0
  return images
    .filter(({ isInUse, seenAtMs }) => !isInUse && nowMs - seenAtMs >= ageMsMin)
    .sort((a, b) => usedMs(a) - usedMs(b) || a.seenAtMs - b.seenAtMs)
}
