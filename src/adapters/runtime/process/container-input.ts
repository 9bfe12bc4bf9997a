import { chown, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type ContainerSpec, RuntimeError } from '../index.ts'
import { makeFifos } from './fifo.ts'
import type { Launch } from './launch.ts'
import type { Owner } from './privileges.ts'
import { hasTerminals, onTerminal } from './terminal.ts'

/** What a container is started with, once its stdin and terminal are thought of. */
export interface ContainerInput {
  readonly words: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly stdin: Launch['stdin']
}

/**
 * Makes what a container with a stdin or a terminal needs in its directory.
 *
 * @throws RuntimeError `InvalidSpec` for a terminal where there are none.
 */
export async function prepareInput(
  spec: Pick<ContainerSpec, 'stdin' | 'tty'>,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  directory: string,
  owner: Owner | undefined,
): Promise<ContainerInput> {
  const isTerminal = spec.tty === true
  if (isTerminal && !hasTerminals())
    throw new RuntimeError('InvalidSpec', 'this machine has no script(1) to make a terminal with')
  // A terminal without input is one that nobody types into, not one that was hung up.
  const stdin = spec.stdin ?? (isTerminal ? 'open' : 'none')
  if (stdin !== 'none') {
    const paths = [join(directory, 'stdin'), join(directory, 'input')]
    for (const path of paths) await rm(path, { force: true })
    await makeFifos(paths)
    if (owner !== undefined) for (const path of paths) await chown(path, owner.uid, owner.gid)
  }
  if (!isTerminal) return { words, env, stdin }
  return { ...onTerminal(words, env, join(directory, 'tty'), owner), stdin }
}
