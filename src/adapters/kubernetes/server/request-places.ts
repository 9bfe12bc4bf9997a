import { tooManyRequests } from './status.ts'

/** How many requests, watches and logs apart, are worked on at once. More are told to come back. */
const WORKING_MAX = 400

/** How many may wait for webhooks beside them. */
const WAITING_MAX = 400

const BUSY = 'The server has received too many requests and has asked us to try again later'

/** The place of one request among those that are worked on. */
export interface RequestPlace {
  /**
   * Does something that waits for others, such as a webhook: the request leaves its place meanwhile, so
   * that one that hangs keeps nobody waiting who does not need it.
   *
   * @throws StatusError 429 where too many wait already; and what `work` throws.
   */
  waits<T>(work: () => Promise<T>): Promise<T>
  /** Does something that may go on for hours, and is bounded elsewhere: a log, a connection into a pod. */
  streams<T>(work: () => Promise<T>): Promise<T>
  /** Gives the place up, when the request is answered. */
  leave(): void
}

/** Counts the requests of a server: those that are worked on, and those that wait for webhooks. */
export class RequestPlaces {
  #working = 0
  #waiting = 0

  /**
   * The place of a new request.
   *
   * @param isWaiting whether all that it does needs a webhook, as for a kind whose objects one converts.
   * @throws StatusError 429 where there is none.
   */
  enter(isWaiting: boolean): RequestPlace {
    if (isWaiting) this.#beginWaiting()
    else {
      if (this.#working >= WORKING_MAX) throw tooManyRequests(BUSY)
      this.#working += 1
    }
    // Parts of one request may wait at the same time.
    let depth = 0
    const waits = async <T>(work: () => Promise<T>): Promise<T> => {
      if (!isWaiting && depth === 0) {
        this.#beginWaiting()
        this.#working -= 1
      }
      depth += 1
      try {
        return await work()
      } finally {
        depth -= 1
        if (!isWaiting && depth === 0) {
          this.#waiting -= 1
          this.#working += 1
        }
      }
    }
    return {
      waits,
      streams: async (work) => {
        this.#count(isWaiting, -1)
        try {
          return await work()
        } finally {
          this.#count(isWaiting, 1)
        }
      },
      leave: () => this.#count(isWaiting, -1),
    }
  }

  #beginWaiting(): void {
    if (this.#waiting >= WAITING_MAX) throw tooManyRequests(BUSY)
    this.#waiting += 1
  }

  #count(isWaiting: boolean, by: number): void {
    if (isWaiting) this.#waiting += by
    else this.#working += by
  }
}
