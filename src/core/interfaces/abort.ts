/** Accepted by every call that may wait. When the signal aborts, the call rejects with its reason. */
export interface AbortOptions {
  readonly signal?: AbortSignal | undefined
}
