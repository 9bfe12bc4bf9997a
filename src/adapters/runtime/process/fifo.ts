import { execFile } from 'node:child_process'
import { closeSync, constants, fchownSync, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Owner } from './privileges.ts'

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants
const FIFO_MODE = '600'

/** The three pipes of a process: what is passed on to it, and the ends that stay here. */
export interface Pipes {
  /** File descriptors for stdin, stdout and stderr of the process; closed by {@link passedOn}. */
  readonly theirs: readonly [number, number, number]
  readonly stdin: Socket
  readonly stdout: Socket
  readonly stderr: Socket
  /**
   * Lets go on who has opened the pipe of stdin by name and waits for a writer, when the only one has
   * left: to the system that is a pipe like any other, not the input of a process.
   */
  wakeInput(): void
  /** Nothing is wanted of the pipes any more. */
  close(): void
  /** The process has its descriptors: the copies here are closed, so that ends can be noticed. */
  passedOn(): void
}

/** Makes named pipes. @throws when one of them exists. */
export async function makeFifos(paths: readonly string[]): Promise<void> {
  await promisify(execFile)('mkfifo', ['-m', FIFO_MODE, ...paths])
}

/**
 * Opens three pipes for a process.
 *
 * What Node makes for child processes are sockets, which cannot be opened by name: a script that
 * writes to /dev/stdout would fail. These are pipes, as container engines use.
 *
 * @param owner who may open them by name; undefined is whoever this process is.
 */
export async function openPipes(parent: string, owner?: Owner): Promise<Pipes> {
  const directory = await mkdtemp(join(parent, 'pipes-'))
  const path = (name: string): string => join(directory, name)
  const opened: number[] = []
  try {
    await makeFifos([path('in'), path('out'), path('err')])
    const stdin = openPair(path('in'), opened)
    const stdout = openPair(path('out'), opened)
    const stderr = openPair(path('err'), opened)
    // Kept, so that the pipe can be found again; nobody reads from it here.
    const keeper = stdin.reader
    const blocking = openSync(path('in'), O_RDONLY)
    opened.push(blocking)
    const theirs: Pipes['theirs'] = [blocking, stdout.writer, stderr.writer]
    if (owner !== undefined) for (const fd of theirs) fchownSync(fd, owner.uid, owner.gid)
    const ours = [
      new Socket({ fd: stdin.writer, readable: false, writable: true }),
      new Socket({ fd: stdout.reader, readable: true, writable: false }),
      new Socket({ fd: stderr.reader, readable: true, writable: false }),
    ] as const
    let isClosed = false
    return {
      theirs,
      stdin: ours[0],
      stdout: ours[1],
      stderr: ours[2],
      passedOn: () => {
        for (const fd of theirs) closeSync(fd)
      },
      wakeInput: () => {
        if (!isClosed) touchWriter(keeper)
      },
      close: () => {
        for (const socket of ours) socket.destroy()
        if (!isClosed) closeSync(keeper)
        isClosed = true
      },
    }
  } catch (error) {
    for (const fd of opened) closeSync(fd)
    throw error
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Is a writer for a moment. Only Linux opens pipes by their descriptors. */
function touchWriter(fd: number): void {
  try {
    closeSync(openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK))
  } catch {
    // Then who opens its stdin by name too late waits, until the session ends.
  }
}

/** Both ends of a pipe. Neither open waits: the reader does not, and then the writer has a reader. */
function openPair(
  path: string,
  opened: number[],
): { readonly reader: number; readonly writer: number } {
  const reader = openSync(path, O_RDONLY | O_NONBLOCK)
  opened.push(reader)
  const writer = openSync(path, O_WRONLY)
  opened.push(writer)
  return { reader, writer }
}
