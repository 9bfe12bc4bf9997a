import { type ChildProcess, spawn } from 'node:child_process'
import { readdir, readlink } from 'node:fs/promises'

/** How a command that was started ended, and all that it said. */
export interface CommandEnd {
  readonly code: number | null
  /** Of both outputs, as it came. */
  readonly text: string
}

/** A command that goes on while a test looks at what it says. */
export class LiveCommand {
  readonly ended: Promise<CommandEnd>
  readonly #child: ChildProcess
  #text = ''
  #isOver = false
  #wake: () => void = () => undefined

  constructor(path: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    const child = spawn(path, args, { env: { PATH: process.env['PATH'], ...env } })
    this.#child = child
    const take = (chunk: Buffer): void => {
      this.#text += chunk.toString()
      this.#wake()
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.stdin.on('error', () => undefined)
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => {
        this.#isOver = true
        this.#wake()
        resolve({ code, text: this.#text })
      })
    })
    // Whoever waits is told; nobody has to.
    this.ended.catch(() => undefined)
  }

  /** Waits until it has said something, and gives all that it has said. @throws when it ends first. */
  async says(wanted: RegExp): Promise<string> {
    while (!wanted.test(this.#text)) {
      if (this.#isOver) throw new Error(`it ended without ${wanted}: ${this.#text}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#text
  }

  type(text: string): void {
    this.#child.stdin?.write(text)
  }

  /** Ends it as nobody could expect. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/** Runs a line of a shell on a terminal of its own: that of script(1). */
export function onTerminal(line: string, env: Readonly<Record<string, string>>): LiveCommand {
  const args = ['-q', '-e', '-c', line, '/dev/null']
  return new LiveCommand('/usr/bin/script', args, { ...env, SHELL: '/bin/sh' })
}

/** How many sockets, pipes and watches of files a process holds. */
export async function connectionsOf(pid: number): Promise<number> {
  const folder = `/proc/${pid}/fd`
  const names = await readdir(folder)
  const links = await Promise.all(names.map((fd) => readlink(`${folder}/${fd}`).catch(() => '')))
  return links.filter((link) => /^(?:socket|pipe|anon_inode:inotify)/.test(link)).length
}
