import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 150
const CHECK_MS = 20_000

/** Tells the story on standard output, and keeps count of what held. */
export class Narrator {
  readonly #isColoured: boolean
  readonly #startMs: number = performance.now()
  #held = 0
  #failed = 0
  #step = 0
  #isStopped = false

  constructor() {
    this.#isColoured = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
  }

  get failed(): number {
    return this.#failed
  }

  get held(): number {
    return this.#held
  }

  get seconds(): string {
    return ((performance.now() - this.#startMs) / 1_000).toFixed(1)
  }

  /** Ends the story: the check that is going on, and every later one, throws. */
  stop(): void {
    this.#isStopped = true
  }

  /** A new chapter. */
  step(title: string): void {
    this.#step += 1
    this.#print(`\n${this.#paint(1, `${this.#step}. ${title}`)}`)
  }

  /** Something that the reader should know. */
  say(text: string): void {
    for (const line of text.trimEnd().split('\n')) this.#print(`   ${line}`)
  }

  /** A command, as somebody would type it. */
  command(text: string): void {
    this.#print(`   ${this.#paint(36, `$ ${text}`)}`)
  }

  /**
   * Waits until something holds, and says whether it did.
   *
   * @throws Error when the story was ended.
   * @param look undefined or false while it does not hold; a text is shown beside the check.
   */
  async check(
    what: string,
    look: () => Promise<string | boolean | undefined> | string | boolean | undefined,
    timeoutMs: number = CHECK_MS,
  ): Promise<void> {
    const startMs = performance.now()
    let reason = ''
    while (performance.now() - startMs < timeoutMs) {
      try {
        const found = await look()
        if (found !== undefined && found !== false)
          return this.#holds(what, found, performance.now() - startMs)
        reason = ''
      } catch (error) {
        reason = error instanceof Error ? `: ${error.message}` : ''
      }
      if (this.#isStopped) throw new Error('the story was ended')
      await sleep(POLL_MS)
    }
    this.#failed += 1
    this.#print(
      `   ${this.#paint(31, 'FAILED')} ${what}, not within ${timeoutMs / 1_000} s${reason}`,
    )
  }

  #holds(what: string, found: string | true, ms: number): void {
    this.#held += 1
    const detail = found === true ? '' : `: ${found}`
    const time = ms < 1_000 ? '' : this.#paint(2, ` (${(ms / 1_000).toFixed(1)} s)`)
    this.#print(`   ${this.#paint(32, 'ok')} ${what}${detail}${time}`)
  }

  #paint(code: number, text: string): string {
    return this.#isColoured ? `\u001b[${code}m${text}\u001b[0m` : text
  }

  #print(line: string): void {
    process.stdout.write(`${line}\n`)
  }
}
