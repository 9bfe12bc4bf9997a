import type { Logger } from '../../core/interfaces/logger.ts'
import type { RuntimeHint, RuntimeState } from './index.ts'
import { Turns } from './turns.ts'

/** What {@link PodHints} works with. */
export interface PodHintsOptions {
  readonly logger: Logger
  /** What the runtime holds. */
  readonly list: () => Promise<RuntimeState>
}

/** Tells whoever watches a runtime which pods to look at again. */
export class PodHints {
  readonly #options: PodHintsOptions
  readonly #listeners = new Set<(hint: RuntimeHint) => void>()
  readonly #turns = new Turns()
  /** How each pod looked last, to tell whom a change is about that nobody has told. */
  #portraits: ReadonlyMap<string, string> | undefined
  /** The look that has not begun. */
  #due: Promise<void> | undefined
  #isClosed = false

  constructor(options: PodHintsOptions) {
    this.#options = options
  }

  /** Adds a listener. The same function can be added twice. @returns how to take it away. */
  watch(listener: (hint: RuntimeHint) => void): () => void {
    const own = (hint: RuntimeHint): void => listener(hint)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** Something may have changed for this pod. */
  hint(podUid: string): void {
    for (const listener of this.#listeners) listener({ podUid })
  }

  /** Something may have changed: looks which pods are not as they were. Never rejects. */
  look(): Promise<void> {
    // One that has not begun is enough for everything that happens before it.
    this.#due ??= this.#nextLook()
    return this.#due
  }

  /** Somebody knows what the runtime holds: what is like that need not be hinted at by the first look. */
  begin(state: RuntimeState): void {
    this.#portraits ??= portraitsOf(state)
  }

  /** Nobody is told any more. Resolves when no look is under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#listeners.clear()
    await this.#turns.settled()
  }

  async #nextLook(): Promise<void> {
    try {
      await this.#turns.run('look', () => {
        this.#due = undefined
        return this.#look()
      })
    } catch (error) {
      if (!this.#isClosed) this.#options.logger.debug('the engine cannot be asked', { error })
    }
  }

  async #look(): Promise<void> {
    if (this.#isClosed) return
    const before = this.#portraits ?? new Map<string, string>()
    const portraits = portraitsOf(await this.#options.list())
    this.#portraits = portraits
    for (const uid of new Set([...before.keys(), ...portraits.keys()])) {
      if (before.get(uid) !== portraits.get(uid)) this.hint(uid)
    }
  }
}

function portraitsOf({ sandboxes, containers }: RuntimeState): ReadonlyMap<string, string> {
  const portraits = new Map<string, string>()
  const add = (uid: string, line: string): void => {
    portraits.set(uid, `${portraits.get(uid) ?? ''}${line}\n`)
  }
  for (const { uid, id, ready } of sandboxes) add(uid, `${id} ${ready}`)
  for (const { podUid, id, state } of containers) add(podUid, `${id} ${state}`)
  return portraits
}
