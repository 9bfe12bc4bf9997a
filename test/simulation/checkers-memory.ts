import type { Simulator } from './simulator.ts'
import type { World } from './world.ts'

/** What may still be sent to a connection that said it is full: the last message, and the goodbye. */
const OVERDUE_MAX = 2

/** By estimate, what a replica may hold of documents beyond its budget once nobody holds any. */
const SLACK_BYTES = 0

/** I5: what a peer or a workload can make a replica hold is bounded. */
export class MemoryChecker {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  /** A peer's log that is under way to us is never more than what it was granted. */
  overdrawn(from: string, to: string, bytes: number, granted: number): void {
    this.#world.fail(
      'I5',
      `${from} sent ${to} ${bytes} bytes of its log where ${granted} were granted`,
    )
  }

  /** We never grant more than a window above what we have read. */
  overgranted(from: string, to: string, granted: number, read: number): void {
    this.#world.fail('I5', `${from} granted ${to} ${granted} bytes after reading ${read}`)
  }

  /** Credit that is not given back ends in a connection on which nothing moves. */
  starved(from: string, to: string, granted: number, read: number): void {
    this.#world.fail('I5', `${from} leaves ${to} at ${granted} bytes after reading ${read}`)
  }

  /** Looks at a world in which nothing is under way and nobody holds a document. */
  atRest(world: Simulator): void {
    if (world.network.waitingMax > OVERDUE_MAX) {
      const { waitingMax } = world.network
      this.#world.fail('I5', `${waitingMax} messages were sent to a connection that was full`)
    }
    if (world.cacheBytesMax === undefined) return
    for (const { name, process } of world.machines) {
      const bytes = process?.replica.usage.bytes ?? 0
      if (bytes > world.cacheBytesMax + SLACK_BYTES)
        this.#world.fail('I5', `${name} keeps ${bytes} bytes of documents that nobody holds`)
    }
  }
}
