import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fchownSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { Owner } from './privileges.ts'

/** What is needed to start the script of one container. */
export interface Launch {
  readonly directory: string
  readonly script: string
  readonly workingDir: string
  /** The command itself says that it runs. Otherwise the script does. */
  readonly marksItself: boolean
  /** Whether the command has a stdin that others write to, for the first of them or for all. */
  readonly stdin: 'none' | 'once' | 'open'
  readonly cgroupFiles: readonly string[]
  /** How willingly the kernel ends it; as this process when undefined, or where that is refused. */
  readonly oomScoreAdjust: number | undefined
  /** Who may open the command's output by name; undefined is whoever this process is. */
  readonly owner: Owner | undefined
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/**
 * Starts the script in a session of its own, its output going straight into files: nothing of it
 * depends on this process from here on.
 */
export function launch(options: Launch): ChildProcess {
  const { directory, script, workingDir, marksItself, stdin, command, env, owner } = options
  const stdout = openSync(join(directory, 'stdout'), 'a', 0o600)
  const stderr = openSync(join(directory, 'stderr'), 'a', 0o600)
  try {
    const mark = marksItself ? 'command' : 'mark'
    const groups = options.cgroupFiles.join(' ')
    const score = String(options.oomScoreAdjust ?? '')
    const args = [script, directory, workingDir, mark, stdin, groups, score, ...command]
    if (owner !== undefined) for (const fd of [stdout, stderr]) fchownSync(fd, owner.uid, owner.gid)
    const child = spawn('/bin/sh', args, {
      cwd: '/',
      detached: true,
      env,
      stdio: ['ignore', stdout, stderr],
    })
    child.unref()
    return child
  } finally {
    closeSync(stdout)
    closeSync(stderr)
  }
}
