import type { Clock } from '../../../core/interfaces/clock.ts'
import type { SessionEnd } from '../../../core/interfaces/process-session.ts'
import { delay } from '../delay.ts'
import { killFamily } from '../kill-family.ts'
import { startOf } from '../process-table.ts'
import type { EngineClient } from './client.ts'
import type { ExecDetails } from './messages.ts'

/** How often a command that begins is looked at. */
const BEGIN_LOOK_MS = 20
/** How often one that runs is looked at without any sign of a change. */
const LOOK_MS = 1_000
/** The words of an engine that could not start a command come within this. */
const WORDS_MS = 5_000
const WORDS_LOOK_MS = 20
/** The exit codes that engines give a command that they could not start. */
const START_CODES: ReadonlySet<number> = new Set([126, 127, 128])
/** What Docker and podman write into the output of such a command. */
const START_WORDS = /^(?:Error: )?(?:OCI runtime exec failed|runc: exec failed|crun: |.*\bOCI )/

/** The process that an engine started for a session: whether it began, how it ended, and its end. */
export class ExecWatch {
  /** Never rejects. */
  readonly ended: Promise<SessionEnd>
  readonly #client: EngineClient
  readonly #clock: Clock
  readonly #id: string
  readonly #left = new AbortController()
  /** Resolves when it is known to run, or has ended. */
  readonly #begun: Promise<void>
  #begin: () => void = () => undefined
  #woken = new AbortController()
  #pid = 0
  #start: string | undefined

  constructor(client: EngineClient, clock: Clock, id: string) {
    this.#client = client
    this.#clock = clock
    this.#id = id
    this.#begun = new Promise((resolve) => {
      this.#begin = resolve
    })
    this.ended = this.#watch().finally(() => this.#begin())
  }

  /** Something has happened: it is looked at now. */
  look(): void {
    this.#woken.abort()
  }

  /**
   * Waits until it has begun.
   *
   * @param firstWords what came first of its output.
   * @returns why it could not be started; undefined when it was.
   */
  async failure(firstWords: () => string): Promise<string | undefined> {
    await this.#begun
    if (this.#pid !== 0) return undefined
    const end = await this.ended
    if (end.type !== 'exited' || !START_CODES.has(end.exitCode)) return undefined
    const untilMs = this.#clock.monotonicMs() + WORDS_MS
    while (firstWords() === '' && this.#clock.monotonicMs() < untilMs)
      await delay(this.#clock, WORDS_LOOK_MS)
    const [line = ''] = firstWords().split('\n')
    return START_WORDS.test(line) ? line.trim() : undefined
  }

  /** Kills it with everything that it started. Never rejects. */
  async kill(): Promise<void> {
    await this.#begun
    if (this.#pid !== 0 && this.#start !== undefined) await killFamily(this.#pid, this.#start)
    this.#left.abort()
  }

  async #watch(): Promise<SessionEnd> {
    while (!this.#left.signal.aborted) {
      this.#woken = new AbortController()
      const signal = AbortSignal.any([this.#left.signal, this.#woken.signal])
      let found: ExecDetails
      try {
        found = await this.#client.call<ExecDetails>({ path: `/exec/${this.#id}/json` })
      } catch {
        return { type: 'failed', message: 'the engine did not tell how it ended' }
      }
      const { Running, ExitCode, Pid } = found
      if (Pid !== 0 && this.#pid === 0) {
        this.#start = await startOf(Pid)
        this.#pid = Pid
      }
      const hasBegun = Running && Pid !== 0
      if (!Running && ExitCode !== null) return { type: 'exited', exitCode: ExitCode }
      if (hasBegun) this.#begin()
      await delay(this.#clock, hasBegun ? LOOK_MS : BEGIN_LOOK_MS, signal)
    }
    return { type: 'failed', message: 'the session was ended' }
  }
}
