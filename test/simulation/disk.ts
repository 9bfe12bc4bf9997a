import { MemoryMedium, memoryStorage } from '../../src/adapters/storage/memory/index.ts'
import type { Position } from '../../src/core/ids.ts'
import type { Appended, Batch, Storage } from '../../src/core/interfaces/storage.ts'
import type { SimulatedTime } from './clock.ts'
import type { SeededRandom } from './random.ts'

/** One write that reached the disk. */
type Write =
  | { readonly type: 'append'; readonly batch: Batch }
  | { readonly type: 'drop'; readonly positions: readonly Position[] }

/** What a full disk answers. */
const FULL = 'no space left on the simulated disk'

/**
 * A disk whose writes take time, that loses what was not synced when its machine crashes, can be full,
 * and can go back to how it once was.
 */
export class SimulatedDisk {
  readonly #time: SimulatedTime
  readonly #random: SeededRandom
  #medium = new MemoryMedium()
  /** Every write since the beginning: an older state of the disk is a beginning of this list. */
  #written: Write[] = []
  /** Writes that were handed over and are not settled, oldest first. */
  #waiting: Write[] = []
  /** Which opening of the disk is the valid one. */
  #opening = 0
  /** A sync takes from 0 to this long. */
  syncMsMax = 5
  /** Every write is refused. */
  full = false

  constructor(time: SimulatedTime, random: SeededRandom) {
    this.#time = time
    this.#random = random
  }

  /** How many writes the disk has taken: a name for its state, for {@link restore}. */
  get writes(): number {
    return this.#written.length
  }

  open(): Storage {
    this.#opening += 1
    const opening = this.#opening
    const inner = memoryStorage({ medium: this.#medium, sync: () => this.#sync() })
    return {
      name: inner.name,
      supports: inner.supports,
      append: (batch) =>
        this.#settled<Appended>(opening, { type: 'append', batch }, () => inner.append(batch)),
      drop: (positions) =>
        this.#settled<void>(opening, { type: 'drop', positions }, () => inner.drop(positions)),
      head: () => inner.head(),
      read: (query) => inner.read(query),
      get: (keys) => inner.get(keys),
      scan: (prefix, range) => inner.scan(prefix, range),
      close: () => inner.close(),
    }
  }

  async #settled<T>(opening: number, write: Write, run: () => Promise<T>): Promise<T> {
    this.#waiting.push(write)
    try {
      const result = await run()
      if (opening === this.#opening) this.#written.push(write)
      return result
    } finally {
      this.#waiting = this.#waiting.filter((other) => other !== write)
    }
  }

  #sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#time.after(this.#random.between(0.05, this.syncMsMax), () => {
        if (this.full) reject(new Error(FULL))
        else resolve()
      })
    })
  }

  /** The machine stops. Of what was under way, some may have reached the disk all the same. */
  crash(): void {
    const kept = this.full ? 0 : this.#random.below(this.#medium.pendingCount + 1)
    // Writes are applied one after the other, so what is pending is what was handed over first.
    this.#written.push(...this.#waiting.slice(0, kept))
    this.#waiting = []
    this.#opening += 1
    this.#medium.unlock(kept)
  }

  /** The disk of a machine that is down becomes what it was after `writes` writes. */
  async restore(writes: number): Promise<void> {
    this.#written = this.#written.slice(0, writes)
    this.#medium = new MemoryMedium()
    const storage = memoryStorage({ medium: this.#medium })
    for (const write of this.#written) {
      if (write.type === 'append') await storage.append(write.batch)
      else await storage.drop(write.positions)
    }
    await storage.close()
  }

  /** Damages one record at rest. */
  corrupt(position: Position): void {
    this.#medium.corrupt(position)
  }
}
