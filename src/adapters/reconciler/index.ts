export { BACKOFF_DEFAULTS, type BackoffLimits, retryDelayMs } from './backoff.ts'
export {
  createReconciler,
  type ReconcileResult,
  type Reconciler,
  type ReconcilerOptions,
  TerminalError,
} from './reconciler.ts'
