import type { TidewayError } from '../core/errors.ts'
import type { AbortOptions } from '../core/interfaces/abort.ts'

interface Waiter {
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/** Those who wait until more may be sent. Each is let through, or told that it will never be. */
export class DrainGate {
  readonly #waiters = new Set<Waiter>()
  #ended: TidewayError | undefined

  get isAwaited(): boolean {
    return this.#waiters.size > 0
  }

  /** Waits for {@link open}. Rejects with the reason of {@link end}, or that of the signal. */
  wait(options: AbortOptions = {}): Promise<void> {
    const { signal } = options
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      const forget = () => {
        this.#waiters.delete(waiter)
        signal?.removeEventListener('abort', onAbort)
      }
      const waiter: Waiter = {
        resolve: () => {
          forget()
          resolve()
        },
        reject: (reason) => {
          forget()
          reject(reason)
        },
      }
      const onAbort = () => waiter.reject(signal?.reason)
      this.#waiters.add(waiter)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Lets everyone through who waits now. */
  open(): void {
    for (const waiter of [...this.#waiters]) waiter.resolve()
  }

  /** Turns away everyone who waits now or later. */
  end(reason: TidewayError): void {
    this.#ended ??= reason
    for (const waiter of [...this.#waiters]) waiter.reject(reason)
  }
}
