import type { Logger } from 'tideway'
import { asProgramError, EXIT, type ProgramError } from './program-error.ts'

/** How long a shutdown in good order may take before the process ends all the same. */
const SHUTDOWN_MS = 20_000

/** What has been opened so far, to be closed in the opposite order. */
export class Teardown {
  readonly #logger: Logger
  readonly #steps: { readonly name: string; readonly close: () => unknown }[] = []

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** @param name what is closed, for the log. */
  add(name: string, close: () => unknown): void {
    this.#steps.push({ name, close })
  }

  /** Closes everything, the newest first. One that fails is logged and keeps none from closing. */
  async close(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.close()
      } catch (error) {
        this.#logger.error('a part did not close in good order', { part: step.name, error })
      }
    }
  }
}

/** A program that runs until it is told to stop. */
export interface Program {
  readonly logger: Logger
  /** For messages about it. */
  readonly directory: string
  /**
   * Starts everything and resolves when it runs. `stop` ends the program: with an error, the process
   * ends with its exit code.
   */
  readonly start: (teardown: Teardown, stop: (reason?: ProgramError) => void) => Promise<void>
}

/**
 * Runs a program until SIGTERM or SIGINT and closes it in good order; a second signal does not wait.
 *
 * @returns the exit code.
 */
export async function runProgram({ logger, directory, start }: Program): Promise<number> {
  const teardown = new Teardown(logger)
  let stop: (reason?: ProgramError) => void = () => undefined
  const stopped = new Promise<ProgramError | undefined>((resolve) => {
    stop = resolve
  })
  const signals = listenForSignals(logger, () => stop())
  const onUnexpected = (error: unknown): void => {
    logger.error('an unexpected failure ends the program', { error })
    process.exit(EXIT.failed)
  }
  process.on('uncaughtException', onUnexpected)
  let exitCode = 0
  try {
    await start(teardown, stop)
    const reason = await stopped
    if (reason !== undefined) exitCode = report(reason, logger, directory)
    logger.info('stopping', {})
  } catch (error) {
    exitCode = report(error, logger, directory)
  }
  const overdue = setTimeout(() => {
    logger.error('stopping took too long', { shutdownMs: SHUTDOWN_MS })
    process.exit(EXIT.failed)
  }, SHUTDOWN_MS)
  await teardown.close()
  clearTimeout(overdue)
  logger.info('stopped', { exitCode })
  signals.close()
  process.off('uncaughtException', onUnexpected)
  return exitCode
}

function report(error: unknown, logger: Logger, directory: string): number {
  const known = asProgramError(error, directory)
  if (known === undefined) {
    logger.error('the program failed', { error })
    return EXIT.failed
  }
  logger.error(known.message, { code: known.code, ...known.fields })
  return known.exitCode
}

const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const

function listenForSignals(logger: Logger, first: () => void): { close(): void } {
  let count = 0
  const onSignal = (signal: NodeJS.Signals): void => {
    count += 1
    if (count > 1) process.exit(128 + SIGNALS[signal as keyof typeof SIGNALS])
    logger.info('told to stop; again to stop without waiting', { signal })
    first()
  }
  const names = Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]
  for (const name of names) process.on(name, onSignal)
  return {
    close: () => {
      for (const name of names) process.off(name, onSignal)
    },
  }
}
