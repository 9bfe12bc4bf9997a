import { podCgroup, removeCgroupParent } from '../cgroup-parents.ts'
import type { PodLimits, SandboxSpec } from '../index.ts'
import { changePodGroup, makePodGroup } from '../pod-cgroup.ts'

/**
 * The cgroups of pods that are limited as a whole: those of their containers are in them. Containers of all
 * other pods have theirs directly below the root, where each gets its share of CPU beside all others.
 */
export class PodGroups {
  readonly #root: string
  readonly #isSupported: boolean
  /** The pod of each container whose group is in that of its pod. */
  readonly #pods = new Map<string, string>()

  /** @param isSupported whether this machine can limit pods: where it cannot, none is limited. */
  constructor(root: string, isSupported: boolean) {
    this.#root = root
    this.#isSupported = isSupported
  }

  /** Where the group of a container is, below the root. */
  place(id: string): string {
    const uid = this.#pods.get(id)
    return uid === undefined ? id : `pod${uid}/${id}`
  }

  /** A container of this sandbox is there from earlier. */
  adopt(id: string, sandbox: SandboxSpec | undefined): void {
    if (sandbox !== undefined && this.#isGrouped(sandbox)) this.#pods.set(id, sandbox.uid)
  }

  /**
   * A container of this sandbox is about to get its group.
   *
   * @param limits what the pod may have by now.
   * @throws RuntimeError `InvalidSpec` when the limits of the pod cannot be kept.
   */
  async prepare(id: string, sandbox: SandboxSpec, limits: PodLimits | undefined): Promise<void> {
    // Also after a reboot, which takes all groups with it.
    if (this.#isGrouped(sandbox)) await makePodGroup(this.#parent(sandbox), limits)
    this.adopt(id, sandbox)
  }

  /** @throws RuntimeError `InvalidSpec` when the kernel refuses. */
  async change(sandbox: SandboxSpec, limits: PodLimits): Promise<void> {
    if (this.#isGrouped(sandbox)) await changePodGroup(this.#parent(sandbox), limits)
  }

  /** The group of a container is gone. */
  forget(id: string): void {
    this.#pods.delete(id)
  }

  /** Nothing runs in the pod any more. */
  async remove(sandbox: SandboxSpec): Promise<void> {
    if (this.#isGrouped(sandbox)) await removeCgroupParent(this.#parent(sandbox))
  }

  #parent({ uid }: SandboxSpec): string {
    return podCgroup(this.#root, uid)
  }

  /** By what it was made with: where its containers are does not change with its limits. */
  #isGrouped({ limits }: SandboxSpec): boolean {
    const { memoryBytes, cpuMillis, processes } = limits ?? {}
    return this.#isSupported && (memoryBytes ?? cpuMillis ?? processes) !== undefined
  }
}
