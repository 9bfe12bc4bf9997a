import type { JsonObject } from '../../kubernetes/objects/types.ts'
import type { ImageStatus } from '../../runtime/index.ts'

/** What kubelet reports: the largest images, with some of their names each. */
const IMAGES_MAX = 50
const NAMES_MAX = 5

/** The images of a node as its status lists them: the largest first, names with digests first. */
export function nodeImages(images: readonly ImageStatus[]): readonly JsonObject[] {
  return [...images]
    .sort((a, b) => b.sizeBytes - a.sizeBytes || (a.id < b.id ? -1 : 1))
    .slice(0, IMAGES_MAX)
    .map(({ digests, tags, sizeBytes }) => ({
      names: [...digests, ...tags].slice(0, NAMES_MAX),
      sizeBytes,
    }))
}
