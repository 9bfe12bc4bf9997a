import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { clusterVersion, programsFolder } from './programs.ts'

/** A Go module of its own: which client-go it is built with is said in its go.mod. */
const SOURCES = fileURLToPath(new URL('operator/', import.meta.url))

/** How many characters of the hash of its sources are in its name. */
const HASH_CHARACTERS = 16

/** The program that uses an API as operators written in Go do, where it has been installed. */
export async function findOperator(): Promise<string | undefined> {
  const path = await operatorPath()
  try {
    await access(path, constants.X_OK)
    return path
  } catch {
    return undefined
  }
}

/**
 * Builds the program, unless it is there.
 *
 * @param tell gets a line about each thing that is done.
 * @throws Error when Go is missing or fails.
 */
export async function installOperator(
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const path = await operatorPath()
  if ((await findOperator()) !== undefined) return path
  const folder = programsFolder(await clusterVersion())
  await mkdir(folder, { recursive: true })
  tell('building the operator')
  // Elsewhere first, so that a half-written program is never found.
  const scratch = await mkdtemp(join(folder, 'build-'))
  try {
    await goBuild(join(scratch, 'operator'), signal)
    await rename(join(scratch, 'operator'), path)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  tell(`the operator is at ${path}`)
  return path
}

/** Beside the programs of a cluster, named by what it is built from. */
async function operatorPath(): Promise<string> {
  const hash = createHash('sha256')
  for (const name of (await readdir(SOURCES)).sort()) {
    hash.update(`${name}\n`).update(await readFile(join(SOURCES, name)))
  }
  const text = hash.digest('hex').slice(0, HASH_CHARACTERS)
  return join(programsFolder(await clusterVersion()), `operator-${text}`)
}

function goBuild(target: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', target, '.']
    const child = spawn('go', args, {
      cwd: SOURCES,
      stdio: ['ignore', 2, 2],
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -buildvcs=false' },
      signal,
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`go build ended with ${code ?? 'a signal'}`))
    })
  })
}
