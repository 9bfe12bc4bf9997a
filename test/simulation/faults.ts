import type { Checkers } from './checkers.ts'
import type { Machine, Simulator } from './simulator.ts'
import { CLOUD } from './topology.ts'

/** What can go wrong. */
export type FaultName =
  | 'crash'
  | 'break'
  | 'one-way'
  | 'cut'
  | 'flap'
  | 'heal'
  | 'weather'
  | 'slow-disk'
  | 'full-disk'
  | 'clock'
  | 'replay'
  | 'lost-tail'
  | 'backup'
  | 'corrupt'

/** Those that a run chooses from unless it is told otherwise; it adds `corrupt` by itself. */
export const FAULTS: readonly FaultName[] = [
  'crash',
  'break',
  'one-way',
  'cut',
  'flap',
  'heal',
  'weather',
  'slow-disk',
  'full-disk',
  'clock',
  'replay',
  'lost-tail',
  'backup',
]

/** Those that set a disk back to an older state. */
export const SET_BACK: readonly FaultName[] = ['lost-tail', 'backup']

/** Makes things go wrong, or right again. */
export class Faults {
  readonly #world: Simulator
  readonly #checkers: Checkers
  readonly #names: readonly FaultName[]
  /** Machines whose disk is being set back: they are started when that is done. */
  readonly #restoring: Set<Promise<void>> = new Set()
  crashes = 0

  constructor(world: Simulator, checkers: Checkers, names: readonly FaultName[]) {
    this.#world = world
    this.#checkers = checkers
    this.#names = names
    checkers.losses.enabled = names.some((name) => name === 'lost-tail' || name === 'backup')
  }

  /** Something, somewhere. */
  choose(): void {
    const { random } = this.#world
    if (this.#names.length === 0) return
    const name = random.pick(this.#names)
    const a = random.pick(this.#world.machines)
    const b = random.pick(this.#world.machines)
    this.#world.note(() => `fault: ${name} at ${a.name} (${b.name})`)
    this.strike(name, a, b)
  }

  strike(name: FaultName, a: Machine, b: Machine): void {
    const { random, network, time } = this.#world
    switch (name) {
      case 'crash':
        return this.#crash(a, () => this.#world.start(a))
      case 'break':
        return network.breakBetween(a.name, b.name)
      case 'one-way':
        return network.block(a.name, b.name)
      case 'cut':
        network.block(a.name, b.name)
        return network.block(b.name, a.name)
      case 'flap':
        return this.#flap(a, b, 2 + random.below(4))
      case 'heal':
        // In another order than they were blocked: what waited arrives late and in bursts.
        network.unblock(b.name, a.name)
        time.after(random.between(1, 5_000), () => network.unblock(a.name, b.name))
        return
      case 'weather':
        network.faults = {
          delayMsMin: 1,
          delayMsMax: random.pick([2, 50, 900]),
          loss: random.pick([0, 0.01, 0.1]),
        }
        return
      case 'slow-disk':
        a.disk.syncMsMax = random.pick([0.1, 5, 300])
        return
      case 'full-disk':
        a.disk.full = true
        time.after(random.between(10, 6_000), () => {
          a.disk.full = false
        })
        return
      case 'clock':
        a.process?.clock.jump(random.between(-3_600_000, 3_600_000))
        return
      case 'replay':
        return network.replay(a.name, random.pick(a.dials.length > 0 ? a.dials : [CLOUD]))
      case 'lost-tail':
        return this.#setBack(a, a.disk.writes - 1 - random.below(3))
      case 'backup':
        if (a.backup === undefined) {
          a.backup = a.disk.writes
          return
        }
        this.#setBack(a, a.backup)
        a.backup = undefined
        return
      case 'corrupt':
        return this.#corrupt(a)
    }
  }

  #corrupt(machine: Machine): void {
    const head = machine.process?.replica.head ?? 0
    if (head === 0) return
    const position = 1 + this.#world.random.below(head)
    this.#checkers.damaged(machine, position)
    machine.disk.corrupt(position)
  }

  #crash(machine: Machine, then: () => void): void {
    this.crashes += 1
    this.#world.crash(machine)
    this.#world.time.after(this.#world.random.between(1, 8_000), then)
  }

  #flap(a: Machine, b: Machine, times: number): void {
    const { random, network, time } = this.#world
    if (times === 0) return
    network.block(a.name, b.name)
    time.after(random.between(1, 1_500), () => {
      network.unblock(a.name, b.name)
      time.after(random.between(1, 1_500), () => this.#flap(a, b, times - 1))
    })
  }

  /** The disk goes back to an older state: a restored backup, or a tail that the disk had lied about. */
  #setBack(machine: Machine, writes: number): void {
    // The first write is the machine's name: before it there is nothing to go back to.
    if (machine.process === undefined || writes < 1) return
    this.#crash(machine, () => {
      const restoring = this.#restore(machine, writes)
      this.#restoring.add(restoring)
    })
  }

  async #restore(machine: Machine, writes: number): Promise<void> {
    if (machine.process !== undefined || machine.starting) return
    machine.starting = true
    await machine.disk.restore(writes)
    this.#world.network.forgetRecorded(machine.name)
    this.#checkers.restored(machine)
    this.#world.note(() => `the disk of ${machine.name} went back to write ${writes}`)
    machine.starting = false
    this.#world.start(machine)
  }

  /** Everything works again. */
  async stop(): Promise<void> {
    const { network, machines } = this.#world
    network.heal()
    network.faults = { delayMsMin: 1, delayMsMax: 40, loss: 0 }
    // Machines that are about to start on an older disk do that first.
    await this.#world.advance(8_000)
    await Promise.all(this.#restoring)
    network.heal()
    for (const machine of machines) {
      machine.disk.syncMsMax = 5
      machine.disk.full = false
      // What rotted under a log that has it in memory shows when it is opened again.
      if (this.#names.includes('corrupt')) this.#world.crash(machine)
      this.#world.start(machine)
    }
  }
}
