import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'

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
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/**
 * Starts the script in a session of its own, its output going straight into files: nothing of it
 * depends on this process from here on.
 */
export function launch(options: Launch): ChildProcess {
  const { directory, script, workingDir, marksItself, stdin, cgroupFiles, command, env } = options
  const stdout = openSync(join(directory, 'stdout'), 'a', 0o600)
  const stderr = openSync(join(directory, 'stderr'), 'a', 0o600)
  try {
    const mark = marksItself ? 'command' : 'mark'
    const args = [script, directory, workingDir, mark, stdin, cgroupFiles.join(' '), ...command]
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
