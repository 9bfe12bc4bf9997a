import { removeCgroupParent } from '../cgroup-parents.ts'
import type { PodLimits, SandboxSpec } from '../index.ts'
import { changePodGroup, makePodGroup } from '../pod-cgroup.ts'

/**
 * The cgroups of pods that are limited as a whole: those of their containers are in them. Containers of all
 * other pods have theirs directly below the root, where each gets its share of CPU beside all others.
 */
export class PodGroups {
  readonly #root: string
  /** The pod of each container whose group is in that of its pod. */
  readonly #pods = new Map<string, string>()

  constructor(root: string) {
    this.#root = root
  }

  /** Where the group of a container is, below the root. */
  place(id: string): string {
    const uid = this.#pods.get(id)
    return uid === undefined ? id : `pod${uid}/${id}`
  }

  /** A container of this sandbox is there from earlier. */
  adopt(id: string, sandbox: SandboxSpec | undefined): void {
    if (sandbox !== undefined && isGrouped(sandbox.limits)) this.#pods.set(id, sandbox.uid)
  }

  /**
   * A container of this sandbox is about to get its group.
   *
   * @throws RuntimeError `InvalidSpec` when the limits of the pod cannot be kept.
   */
  async prepare(id: string, sandbox: SandboxSpec): Promise<void> {
    this.adopt(id, sandbox)
    // Also after a reboot, which takes all groups with it.
    if (isGrouped(sandbox.limits)) await makePodGroup(this.#parent(sandbox.uid), sandbox.limits)
  }

  /** @throws RuntimeError `InvalidSpec` when the kernel refuses. */
  async change({ uid, limits: before }: SandboxSpec, limits: PodLimits): Promise<void> {
    if (isGrouped(before)) await changePodGroup(this.#parent(uid), limits)
  }

  /** The group of a container is gone. */
  forget(id: string): void {
    this.#pods.delete(id)
  }

  /** Nothing runs in the pod any more. */
  async remove({ uid, limits }: SandboxSpec): Promise<void> {
    if (isGrouped(limits)) await removeCgroupParent(this.#parent(uid))
  }

  #parent(uid: string): string {
    return `/${this.#root}/pod${uid}`
  }
}

function isGrouped(limits: PodLimits | undefined): boolean {
  return (limits?.memoryBytes ?? limits?.cpuMillis ?? limits?.processes) !== undefined
}
