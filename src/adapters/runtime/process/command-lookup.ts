import { access, constants, stat } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
import { errorCode } from '../atomic-file.ts'
import type { Mount } from '../index.ts'
import { isUnder } from './mount-plan.ts'

/** What decides where a command is looked for. */
export interface Lookup {
  readonly command: string
  readonly workingDir: string
  /** The PATH of the container. */
  readonly path: string
  /** Volumes that hide what the host has at their paths. */
  readonly mounts: readonly Mount[]
}

/**
 * Looks for a command as execvp(3) will, before anything is started, so that the usual mistakes get a
 * message that names them.
 *
 * @returns what is wrong, in the words of the container engines; undefined when it can be run.
 */
export async function commandProblem(lookup: Lookup): Promise<string | undefined> {
  const { command, workingDir, path, mounts } = lookup
  if (command.includes('/')) {
    const absolute = isAbsolute(command) ? command : join(workingDir, command)
    const problem = await problemAt(throughMounts(absolute, mounts))
    return problem === undefined ? undefined : `exec: "${command}": stat ${absolute}: ${problem}`
  }
  let denied = false
  for (const directory of path.split(':')) {
    const candidate = throughMounts(
      join(directory === '' ? workingDir : directory, command),
      mounts,
    )
    const problem = await problemAt(candidate)
    if (problem === undefined) return undefined
    if (problem === 'permission denied') denied = true
  }
  const why = denied ? 'permission denied' : 'executable file not found in $PATH'
  return `exec: "${command}": ${why}`
}

/** Where on the host the file is that a container sees at `path`. */
export function throughMounts(path: string, mounts: readonly Mount[]): string {
  const innermost = mounts
    .filter((mount) => mount.path === path || isUnder(path, mount.path))
    .sort((a, b) => b.path.length - a.path.length)[0]
  if (innermost === undefined) return path
  return join(innermost.source, relative(innermost.path, path))
}

async function problemAt(path: string): Promise<string | undefined> {
  try {
    if ((await stat(path)).isDirectory()) return 'is a directory'
    await access(path, constants.X_OK)
    return undefined
  } catch (error) {
    const code = errorCode(error)
    if (code === 'EACCES' || code === 'EPERM') return 'permission denied'
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'no such file or directory'
    return code ?? 'cannot be looked at'
  }
}
