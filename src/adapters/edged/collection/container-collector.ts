import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { PodRuntime } from '../../runtime/index.ts'
import { isActive } from '../pod-plan.ts'
import { podOfLogs, podsWithSurplus } from './dead-containers.ts'

/** What a {@link ContainerCollector} needs. */
export interface ContainerCollectorOptions {
  readonly runtime: PodRuntime
  /** Where the directories of pods and their logs are. */
  readonly directory: string
  readonly clock: Clock
  /** Whether a pod is certainly not here any more. */
  readonly isGone: (uid: string) => boolean
  /** Whether a pod is here and has ended. */
  readonly hasEnded: (uid: string) => boolean
  /** Asks for another look at a pod: who looks removes what is too much of it. */
  readonly hint: (uid: string) => void
}

/** Finds what is left of containers and pods that nobody needs any more. */
export class ContainerCollector {
  readonly #options: ContainerCollectorOptions

  constructor(options: ContainerCollectorOptions) {
    this.#options = options
  }

  /** Has pods looked at that have ended containers to spare, or are gone; removes logs of the latter. */
  async collect(): Promise<void> {
    const { runtime, directory, clock, isGone, hint } = this.#options
    const { sandboxes, containers } = await runtime.list()
    const found = new Set(podsWithSurplus(containers, clock.wallMs()))
    const directories = await readdir(join(directory, 'pods')).catch(() => [])
    for (const uid of [...sandboxes.map((sandbox) => sandbox.uid), ...directories]) {
      if (isGone(uid)) found.add(uid)
    }
    for (const uid of found) hint(uid)
    const held = new Set(sandboxes.map(({ uid }) => uid))
    for (const folder of await readdir(join(directory, 'logs')).catch(() => [])) {
      const uid = podOfLogs(folder)
      if (uid === undefined || held.has(uid) || !isGone(uid)) continue
      await rm(join(directory, 'logs', folder), { recursive: true, force: true })
    }
  }

  /**
   * Removes at once what pods have in the runtime that have ended: their status says all of it.
   *
   * @returns how many pods that was.
   */
  async removeEnded(): Promise<number> {
    let count = 0
    const { runtime, hasEnded } = this.#options
    const { sandboxes, containers } = await runtime.list()
    for (const { id, uid } of sandboxes) {
      const isBusy = containers.some((each) => each.sandboxId === id && isActive(each))
      if (isBusy || !hasEnded(uid)) continue
      await runtime.removeSandbox(id)
      count += 1
    }
    return count
  }
}
