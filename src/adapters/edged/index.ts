export { RESTART_BACKOFF, type RestartBackoff } from './backoff.ts'
export type { ImageCollectionOptions } from './collection/settings.ts'
export { createEdged, type Edged, type EdgedOptions } from './edged.ts'
export type { ApiPlace } from './environment/link-variables.ts'
export type { EvictionOptions } from './eviction/settings.ts'
export {
  isSignal,
  type PressureCondition,
  SIGNALS,
  type Signal,
  type SignalMeaning,
  type StarvedResource,
} from './eviction/signals.ts'
export {
  type Amount,
  EVICTION_HARD,
  parseAmount,
  type ThresholdOptions,
} from './eviction/thresholds.ts'
export { ClockSteps, type StepWatch, watchSteps } from './node/clock-steps.ts'
export type { PodApi } from './pod-context.ts'
export type { ClusterDns } from './pod-dns.ts'
export type { IssuePodToken, PodToken, PodTokenAsk } from './pod-tokens.ts'
export type { ManifestOptions } from './static/static-pods.ts'
