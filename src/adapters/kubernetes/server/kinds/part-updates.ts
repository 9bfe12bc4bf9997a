import type { KubeObject } from '../../objects/types.ts'
import { ephemeralContainersUpdate, withEphemeralContainers } from './ephemeral-containers.ts'
import { resizeUpdate, withResources } from './pod-resize.ts'
import type { UpdateCheck } from './rules.ts'

/** A part of a kind that is written by a path of its own: everything else stays as it was. */
export interface PartUpdate {
  /** The object as it was, with this part of what is given. */
  readonly reduce: (before: KubeObject, given: KubeObject) => KubeObject
  /** What an update changes of the part that it may not. */
  readonly check: UpdateCheck
}

/** By the name of the subresource. */
const PARTS: Readonly<Record<string, PartUpdate>> = {
  ephemeralcontainers: { reduce: withEphemeralContainers, check: ephemeralContainersUpdate },
  resize: { reduce: withResources, check: resizeUpdate },
}

/** How a subresource is written; undefined for one that is not such a part. */
export function partUpdateOf(subresource: string): PartUpdate | undefined {
  return Object.hasOwn(PARTS, subresource) ? PARTS[subresource] : undefined
}
