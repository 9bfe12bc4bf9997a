import { chmod, mkdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { parseObject } from './parse-object.ts'
import { EXIT, ProgramError, systemCode } from './program-error.ts'

/** Where a program keeps its things unless it is told: the XDG base directories' state home. */
export function stateDirectory(program: string): string {
  const home = process.env['XDG_STATE_HOME']
  const state = home === undefined || home === '' ? join(homedir(), '.local', 'state') : home
  return join(state, 'tideway', program)
}

/**
 * Makes a directory that only its user can read.
 *
 * @throws ProgramError `DATA_DIRECTORY_UNUSABLE`.
 */
export async function makePrivateDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await chmod(directory, 0o700)
  } catch (cause) {
    throw new ProgramError(
      'DATA_DIRECTORY_UNUSABLE',
      EXIT.dataDirectory,
      `the data directory ${directory} cannot be used: ${systemCode(cause) ?? String(cause)}`,
      { fields: { directory }, cause },
    )
  }
}

/** The file that shows which program has a data directory. */
const MARKS = { cloudcore: 'fleet', edgecore: 'identity.json' } as const

/**
 * Makes sure that a data directory is not that of another program.
 *
 * @throws ProgramError `DATA_DIRECTORY_FOREIGN` when it is that of `other`.
 */
export async function refuseDirectoryOf(
  other: keyof typeof MARKS,
  directory: string,
): Promise<void> {
  if ((await readTextFile(join(directory, MARKS[other]))) === undefined) return
  throw new ProgramError(
    'DATA_DIRECTORY_FOREIGN',
    EXIT.dataDirectory,
    `the data directory ${directory} is that of ${other}; choose another with --data`,
    { fields: { directory, found: other } },
  )
}

/** The text of a file, or undefined when there is none. */
export async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** The object in a JSON file of ours, or undefined when there is none or it is not one. */
export async function readJsonFile(path: string): Promise<Record<string, unknown> | undefined> {
  const text = await readTextFile(path)
  return text === undefined ? undefined : parseObject(text)
}
