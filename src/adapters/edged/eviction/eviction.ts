import type { PodView } from '../pod-view.ts'

/** A pod that its node ends. */
export interface Eviction {
  /** How long its containers get. */
  readonly graceMs: number
  /** Why, in kubelet's words. */
  readonly message: string
  /** It goes for the sake of the node, and not because it broke a limit of its own. */
  readonly isDisruption: boolean
}

/** What those who work on pods ask while the node may run short of something. */
export interface EvictionRules {
  /** A pod is looked at: what it may use is known from then on. */
  saw(pod: PodView): void
  /** Why a pod is being ended; undefined when it is not. */
  evictionOf(uid: string): Eviction | undefined
  /** Why a pod that has not begun may not begin now; undefined when it may. */
  refusalOf(pod: PodView): string | undefined
  /** Nothing of a pod runs any more, and its status says how it ended; or the pod is gone. */
  ended(uid: string): void
}
