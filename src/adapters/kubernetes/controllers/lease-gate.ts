import type { Cancel, Clock, Logger } from '../../../core/index.ts'
import { numberAt, textAt } from '../objects/read.ts'
import type { KubeObject, ObjectKey, ObjectStore } from '../objects/types.ts'
import type { Controller } from './scheduler.ts'

/** What {@link createLeaseGate} needs. */
export interface LeaseGateOptions {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly logger: Logger
  /** The name of the lease in `kube-system`, such as `kube-controller-manager`. */
  readonly lease: string
  /** Starts what rests while somebody holds the lease. Called again each time that it is let go. */
  readonly start: () => readonly Controller[]
  /** Called each time that somebody takes the lease. */
  readonly onHeld?: (() => void) | undefined
}

/** How long a lease lasts that does not say (leader-elect-lease-duration), in seconds. */
const DURATION_SECONDS = 15

/** How many times its duration a lease counts as held after it was last seen to be renewed. */
const PATIENCE = 2

/**
 * Runs controllers of this package for as long as no other program does their work: while one holds its
 * lease, they are stopped. A program that goes in good order lets go of its lease, and they start at
 * once; of one that is lost they take over when its lease has been old for long enough.
 */
export function createLeaseGate(options: LeaseGateOptions): Controller {
  const gate = new LeaseGate(options)
  return { close: () => gate.close() }
}

class LeaseGate {
  readonly #options: LeaseGateOptions
  readonly #stopWatch: () => void
  #timer: Cancel | undefined
  #isHeld = false
  #running: readonly Controller[] = []
  /** Starts and stops, one after another. */
  #work: Promise<void> = Promise.resolve()

  constructor(options: LeaseGateOptions) {
    this.#options = options
    const { store, lease } = options
    const key: ObjectKey = { resource: LEASES, namespace: NAMESPACE, name: lease }
    this.#stopWatch = store.watch(LEASES, { namespace: NAMESPACE }, ({ type, object }) => {
      if (object.metadata.name === lease) this.#see(type === 'DELETED' ? undefined : object)
    })
    const found = store.get(key)
    if (isTaken(found)) this.#see(found)
    else this.#start()
  }

  async close(): Promise<void> {
    this.#stopWatch()
    this.#timer?.()
    this.#isHeld = true
    this.#stop()
    await this.#work
  }

  /**
   * A lease as it is now. When it is over is told by how long ago a change of it was seen here: the
   * clocks of others do not matter.
   */
  #see(lease: KubeObject | undefined): void {
    this.#timer?.()
    this.#timer = undefined
    if (!isTaken(lease)) {
      this.#release()
      return
    }
    const seconds = numberAt(lease, 'spec', 'leaseDurationSeconds') ?? DURATION_SECONDS
    this.#timer = this.#options.clock.schedule(seconds * PATIENCE * 1_000, () => this.#release())
    if (this.#isHeld) return
    this.#isHeld = true
    const { logger, lease: name, onHeld } = this.#options
    const holder = textAt(lease, 'spec', 'holderIdentity')
    logger.info('another program does this work: ours rests', { lease: name, holder })
    onHeld?.()
    this.#stop()
  }

  #release(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    const { logger, lease } = this.#options
    logger.info('no other program does this work any more: ours goes on', { lease })
    this.#start()
  }

  #start(): void {
    this.#work = this.#work.then(() => {
      if (!this.#isHeld && this.#running.length === 0) this.#running = this.#options.start()
    })
  }

  #stop(): void {
    this.#work = this.#work.then(async () => {
      const running = this.#running
      this.#running = []
      await Promise.all(running.map((controller) => controller.close()))
      // It was let go while they stopped.
      if (!this.#isHeld) this.#running = this.#options.start()
    })
  }
}

const LEASES = 'leases.coordination.k8s.io'
const NAMESPACE = 'kube-system'

function isTaken(lease: KubeObject | undefined): lease is KubeObject {
  return textAt(lease, 'spec', 'holderIdentity') !== undefined
}
