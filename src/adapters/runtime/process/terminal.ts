import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { TerminalSize } from '../../../core/interfaces/process-session.ts'
import { delay } from '../delay.ts'
import type { Owner } from './privileges.ts'

const SCRIPT_PATH = '/usr/bin/script'
const SIZE_MAX = 0xffff
const RESIZE_MS_MAX = 5_000
const NAME_TRIES_MAX = 100
const NAME_RETRY_MS = 20
const DEVICE = /^\/dev\/(?:pts\/)?[A-Za-z0-9]+$/

/**
 * Whether processes can be given a terminal: by `script` of util-linux, which every Debian has. Other
 * systems have other programs of that name.
 */
export function hasTerminals(): boolean {
  return process.platform === 'linux' && existsSync(SCRIPT_PATH)
}

/**
 * The words that run a command on a new terminal, passing on what comes in and goes out.
 *
 * @param env the variables of the command; what `script` needs of its own is taken back before it.
 * @param nameFile where the name of the terminal's device is written, for {@link TerminalResizer}.
 * @param owner who may open the terminal by name; undefined is whoever this process is.
 */
export function onTerminal(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  nameFile: string,
  owner?: Owner,
): { readonly words: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  const shell = env['SHELL']
  const restore = shell === undefined ? 'unset SHELL' : `SHELL=${quoted(shell)}`
  const give =
    owner === undefined ? '' : `; PATH=/usr/bin:/bin chown ${owner.uid} "$(PATH=/usr/bin:/bin tty)"`
  const note = `PATH=/usr/bin:/bin tty > ${quoted(nameFile)}${give}`
  const line = `${note}; ${restore}; exec ${words.map(quoted).join(' ')}`
  return {
    words: [SCRIPT_PATH, '-q', '-e', '-c', line, '/dev/null'],
    env: { TERM: 'xterm', ...env, SHELL: '/bin/sh' },
  }
}

/** A word as a POSIX shell reads it back. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** Sets the size of one terminal, one change at a time, always ending with the newest. */
export class TerminalResizer {
  readonly #nameFile: string
  readonly #clock: Clock
  #wanted: TerminalSize | undefined
  #isBusy = false

  /** @param nameFile where the terminal's name is or will be soon. */
  constructor(nameFile: string, clock: Clock) {
    this.#nameFile = nameFile
    this.#clock = clock
  }

  /** Sizes that no terminal can have are left out. */
  resize({ columns, rows }: TerminalSize): void {
    if (!isSize(columns) || !isSize(rows)) return
    this.#wanted = { columns, rows }
    if (this.#isBusy) return
    this.#isBusy = true
    void this.#apply()
  }

  async #apply(): Promise<void> {
    const name = await this.#name()
    while (this.#wanted !== undefined) {
      const { columns, rows } = this.#wanted
      this.#wanted = undefined
      if (name !== undefined) await setSize(name, columns, rows)
    }
    this.#isBusy = false
  }

  /** Clients say their size at once, when the terminal may not be there yet. */
  async #name(): Promise<string | undefined> {
    for (let tries = 0; tries < NAME_TRIES_MAX; tries += 1) {
      const name = (await readFile(this.#nameFile, 'utf8').catch(() => '')).trim()
      if (DEVICE.test(name)) return name
      await delay(this.#clock, NAME_RETRY_MS)
    }
    return undefined
  }
}

/** A terminal that is gone has no size: then there is nothing to set. */
function setSize(name: string, columns: number, rows: number): Promise<void> {
  return new Promise((resolve) => {
    const args = ['-F', name, 'rows', String(rows), 'cols', String(columns)]
    execFile('stty', args, { timeout: RESIZE_MS_MAX }, () => resolve())
  })
}

function isSize(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= SIZE_MAX
}
