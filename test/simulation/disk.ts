import { MemoryMedium, memoryStorage } from '../../src/adapters/storage/memory/index.ts'
import type { Storage } from '../../src/core/interfaces/storage.ts'
import type { SimulatedTime } from './clock.ts'
import type { SeededRandom } from './random.ts'

/** A disk whose writes take time, and lose what was not synced when its machine crashes. */
export class SimulatedDisk {
  readonly #medium = new MemoryMedium()
  readonly #time: SimulatedTime
  readonly #random: SeededRandom
  /** A sync takes from 0 to this long. */
  syncMsMax = 5
  /** The chance that a write is refused, as by a full disk. */
  refusal = 0

  constructor(time: SimulatedTime, random: SeededRandom) {
    this.#time = time
    this.#random = random
  }

  open(): Storage {
    return memoryStorage({ medium: this.#medium, sync: () => this.#sync() })
  }

  #sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#time.after(this.#random.between(0.05, this.syncMsMax), () => {
        if (this.#random.chance(this.refusal))
          reject(new Error('no space left on the simulated disk'))
        else resolve()
      })
    })
  }

  /** The machine stops. Of what was under way, some may have reached the disk all the same. */
  crash(): void {
    this.#medium.unlock(this.#random.below(this.#medium.pendingCount + 1))
  }
}
