import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { availableParallelism, homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'

/** What is built with Go. */
export interface ProgramSource {
  /** The folder of the go.mod that says which version is built. */
  readonly module: string
  /** Such as `k8s.io/kubernetes/cmd/kubelet`. */
  readonly package: string
  /** Where the program is put. Its folder is made when missing. */
  readonly target: string
}

/** The version of Kubernetes in the go.mod of a folder, such as `v1.36.3`. */
export function kubernetesVersion(module: string): Promise<string> {
  return requiredVersion(module, 'k8s.io/kubernetes')
}

/**
 * The version of a module in the go.mod of a folder, such as `v1.36.3`.
 *
 * @throws Error when go.mod does not name it.
 */
export async function requiredVersion(module: string, name: string): Promise<string> {
  const words = (await readFile(join(module, 'go.mod'), 'utf8')).split(/\s+/)
  const version =
    words[words.findIndex((word, at) => word === name && isVersion(words[at + 1])) + 1]
  if (!isVersion(version)) throw new Error(`go.mod does not say which ${name}`)
  return version
}

function isVersion(word: string | undefined): word is string {
  return word !== undefined && /^v\d+\.\d+\.\d+$/.test(word)
}

/** Where programs that tests build are kept: outside the repository, shared by all checkouts. */
export function cacheFolder(room: string, version: string): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  return join(cache, 'tideway', room, version)
}

/** Whether there is a program. */
export async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Builds a program of Kubernetes that says its version.
 *
 * @throws Error when Go is missing or fails; what it says goes to stderr as it comes.
 */
export async function buildKubernetes(source: ProgramSource, signal?: AbortSignal): Promise<void> {
  const version = await kubernetesVersion(source.module)
  const [, major = '1', minor = ''] = /^v(\d+)\.(\d+)/.exec(version) ?? []
  const facts = { gitVersion: version, gitMajor: major, gitMinor: minor }
  const flags = Object.entries(facts).map(
    ([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`,
  )
  await buildProgram(source, ['-ldflags', ['-s', '-w', ...flags].join(' ')], signal)
}

/**
 * Builds a program with these arguments of `go build`.
 *
 * @throws Error when Go is missing or fails; what it says goes to stderr as it comes.
 */
export async function buildProgram(
  source: ProgramSource,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const folder = dirname(source.target)
  await mkdir(folder, { recursive: true })
  // Into a folder of its own first, so that a half-written program is never found.
  const scratch = await mkdtemp(join(folder, 'build-'))
  const built = join(scratch, basename(source.target))
  const parallel = String(availableParallelism())
  try {
    const all = ['-trimpath', '-p', parallel, '-o', built, ...args, source.package]
    await goBuild(source.module, all, signal)
    await rename(built, source.target)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Runs `go build` in the folder of a go.mod. */
function goBuild(
  module: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('go', ['build', ...args], {
      cwd: module,
      stdio: ['ignore', 2, 2],
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' },
      ...(signal === undefined ? {} : { signal }),
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`go build ended with ${code ?? 'a signal'}`))
    })
  })
}
