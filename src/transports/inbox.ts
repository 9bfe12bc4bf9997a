import { type TidewayError, UsageError } from '../core/errors.ts'

/** What an inbox tells the side that fills it. */
export interface InboxOptions {
  /** Called each time that a message has been taken out. */
  readonly onTaken?: (() => void) | undefined
}

type Taken<Item> = (result: IteratorResult<Item, undefined>) => void

interface Waiting<Item> {
  readonly resolve: Taken<Item>
  readonly reject: (error: TidewayError) => void
}

/**
 * What has arrived and was not read yet, for one reader.
 *
 * States: open, then ended or failed. What was put in before the end is always taken out first. The
 * owner bounds it: `bytes` and `count` say how full it is.
 */
export class Inbox<Item> {
  readonly #sizeOf: (item: Item) => number
  readonly #onTaken: (() => void) | undefined
  readonly #waiting: Waiting<Item>[] = []
  #items: Item[] = []
  #bytes = 0
  #isRead = false
  #end: { readonly error: TidewayError | undefined } | undefined

  constructor(sizeOf: (item: Item) => number, options: InboxOptions = {}) {
    this.#sizeOf = sizeOf
    this.#onTaken = options.onTaken
  }

  get bytes(): number {
    return this.#bytes
  }

  get count(): number {
    return this.#items.length
  }

  /** Puts one item in. Ignored after the end. */
  push(item: Item): void {
    if (this.#end !== undefined) return
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) {
      waiting.resolve({ done: false, value: item })
      this.#onTaken?.()
      return
    }
    this.#items.push(item)
    this.#bytes += this.#sizeOf(item)
  }

  /** The reader ends after what is in here, or fails with `error`. Only the first call counts. */
  end(error?: TidewayError): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    for (const waiting of this.#waiting.splice(0)) {
      if (error === undefined) waiting.resolve({ done: true, value: undefined })
      else waiting.reject(error)
    }
  }

  /** Takes out everything that nobody has read. */
  takeAll(): readonly Item[] {
    const items = this.#items
    this.#items = []
    this.#bytes = 0
    return items
  }

  /** @throws UsageError when there is a reader already. */
  read(): AsyncIterator<Item, undefined> {
    if (this.#isRead) {
      throw new UsageError(
        'USAGE_INVALID_ARGUMENT',
        'there is one reader only, and it exists already',
      )
    }
    this.#isRead = true
    return {
      next: () => this.#take(),
      // A reader that leaves is as one that reads no more: what is in here stays, and holds the peer back.
      return: async () => ({ done: true, value: undefined }),
    }
  }

  #take(): Promise<IteratorResult<Item, undefined>> {
    const item = this.#items.shift()
    if (item !== undefined) {
      this.#bytes -= this.#sizeOf(item)
      this.#onTaken?.()
      return Promise.resolve({ done: false, value: item })
    }
    if (this.#end !== undefined) return this.#ended(this.#end.error)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
    })
  }

  // An iteration throws once; asked again, it has ended.
  #ended(error: TidewayError | undefined): Promise<IteratorResult<Item, undefined>> {
    this.#end = { error: undefined }
    if (error === undefined) return Promise.resolve({ done: true, value: undefined })
    return Promise.reject(error)
  }
}
