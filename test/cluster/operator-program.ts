import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { clusterVersion, programsFolder } from './programs.ts'

/** Go modules of their own: which client-go each is built with is said in its go.mod. */
type GoProgram = 'operator' | 'in-pod'

function sourcesOf(program: GoProgram): string {
  return fileURLToPath(new URL(`${program}/`, import.meta.url))
}

/** How many characters of the hash of its sources are in its name. */
const HASH_CHARACTERS = 16

/** The program that uses an API as operators written in Go do, where it has been installed. */
export function findOperator(): Promise<string | undefined> {
  return find('operator')
}

/** The program that uses an API from inside a pod (`InClusterConfig`), where it has been installed. */
export function findInPodClient(): Promise<string | undefined> {
  return find('in-pod')
}

async function find(program: GoProgram): Promise<string | undefined> {
  const path = await pathOf(program)
  try {
    await access(path, constants.X_OK)
    return path
  } catch {
    return undefined
  }
}

/**
 * Builds both programs, unless they are there.
 *
 * @param tell gets a line about each thing that is done.
 * @throws Error when Go is missing or fails.
 */
export async function installGoPrograms(
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  await install('operator', tell, signal)
  await install('in-pod', tell, signal)
}

async function install(
  program: GoProgram,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const path = await pathOf(program)
  if ((await find(program)) !== undefined) return
  const folder = programsFolder(await clusterVersion())
  await mkdir(folder, { recursive: true })
  tell(`building the program ${program}`)
  // Elsewhere first, so that a half-written program is never found.
  const scratch = await mkdtemp(join(folder, 'build-'))
  try {
    await goBuild(sourcesOf(program), join(scratch, program), signal)
    await rename(join(scratch, program), path)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  tell(`the program ${program} is at ${path}`)
}

/** Beside the programs of a cluster, named by what it is built from. */
async function pathOf(program: GoProgram): Promise<string> {
  const sources = sourcesOf(program)
  const hash = createHash('sha256')
  for (const name of (await readdir(sources)).sort()) {
    hash.update(`${name}\n`).update(await readFile(join(sources, name)))
  }
  const text = hash.digest('hex').slice(0, HASH_CHARACTERS)
  return join(programsFolder(await clusterVersion()), `${program}-${text}`)
}

function goBuild(sources: string, target: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', target, '.']
    const child = spawn('go', args, {
      cwd: sources,
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
