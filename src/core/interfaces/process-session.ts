/** The size of a terminal, in characters. */
export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

/** What a process wrote. On a terminal everything is `stdout`. */
export interface OutputPiece {
  readonly stream: 'stdout' | 'stderr'
  readonly bytes: Uint8Array
}

/** How a session ended: with the exit code of its process, or because something went wrong. */
export type SessionEnd =
  | { readonly type: 'exited'; readonly exitCode: number }
  | { readonly type: 'failed'; readonly message: string }

/**
 * A process that somebody far away talks to: one that was started for them, or a container that they
 * are attached to.
 *
 * Nothing is buffered without bound: output that is not consumed stops the process when its pipes are
 * full, and {@link writeInput} waits until the process has read enough.
 */
export interface ProcessSession {
  /** What the process writes, for one consumer, once. Ends when there will be no more. */
  readonly output: AsyncIterable<OutputPiece>
  /** Resolves after the last of {@link output} was consumed. Never rejects. */
  readonly ended: Promise<SessionEnd>
  /** Gives the process input; resolves when there is room for more. What it no longer reads is dropped. */
  writeInput(bytes: Uint8Array): Promise<void>
  /** The process has read the last of its input. On a terminal this is the end-of-file character. */
  endInput(): void
  /** Tells the terminal its size; without one, nothing happens. */
  resize(size: TerminalSize): void
  /**
   * The other side has left: kills what was started for it, with everything that this started, and
   * lets go of what it was attached to. Harmless when it is over.
   */
  abort(): void
}

/** What a session wants of a process. */
export interface SessionSpec {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  /** The process gets a terminal, which joins stdout and stderr. */
  readonly tty: boolean
}
