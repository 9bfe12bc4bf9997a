import type { Cancel, Clock } from '../../src/core/interfaces/clock.ts'

interface Task {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
  cancelled: boolean
}

/** The one time line of a simulated world: tasks run in order of time, then of their making. */
export class SimulatedTime {
  nowMs = 0
  #tasks: Task[] = []
  #made = 0

  after(delayMs: number, run: () => void): Cancel {
    const task: Task = {
      atMs: this.nowMs + Math.max(0, delayMs),
      order: this.#made,
      run,
      cancelled: false,
    }
    this.#made += 1
    let low = 0
    let high = this.#tasks.length
    while (low < high) {
      const middle = (low + high) >> 1
      const other = this.#tasks[middle]
      if (other !== undefined && other.atMs <= task.atMs) low = middle + 1
      else high = middle
    }
    this.#tasks.splice(low, 0, task)
    return () => {
      task.cancelled = true
    }
  }

  /** Runs the next task; false when none is due up to `untilMs`. */
  step(untilMs: number): boolean {
    for (
      let task = this.#tasks[0];
      task !== undefined && task.atMs <= untilMs;
      task = this.#tasks[0]
    ) {
      this.#tasks.shift()
      if (task.cancelled) continue
      this.nowMs = task.atMs
      task.run()
      return true
    }
    this.nowMs = Math.max(this.nowMs, untilMs)
    return false
  }
}

/** The clock of one process. It stops for good when the process dies. */
export class ProcessClock implements Clock {
  readonly #time: SimulatedTime
  #skewMs: number
  #dead = false

  constructor(time: SimulatedTime, skewMs: number) {
    this.#time = time
    this.#skewMs = skewMs
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#skewMs + this.#time.nowMs
  }

  monotonicMs(): number {
    return this.#time.nowMs
  }

  schedule(delayMs: number, callback: () => void): Cancel {
    return this.#time.after(Math.max(delayMs, 0.001), () => {
      if (!this.#dead) callback()
    })
  }

  /** The wall clock jumps. */
  jump(ms: number): void {
    this.#skewMs += ms
  }

  kill(): void {
    this.#dead = true
  }
}

/** Lets everything that waits for a promise go on, until nothing does. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
