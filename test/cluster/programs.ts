import { execFile, spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { unpackEtcd } from './etcd-package.ts'

const run = promisify(execFile)

/** Where go.mod says which Kubernetes is built. */
const MODULE = fileURLToPath(new URL('.', import.meta.url))

const KUBERNETES = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const

/** A program of a cluster. */
export type ProgramName = (typeof KUBERNETES)[number] | 'etcd'

/** The programs of a cluster, by path. */
export type Programs = Readonly<Record<ProgramName, string>>

/** The reason to skip with where {@link findPrograms} finds none. */
export const CLUSTER_HINT = 'run npm run test:cluster:install, which needs Go and apt'

/** The version of Kubernetes in go.mod, such as `v1.36.3`. */
export async function clusterVersion(): Promise<string> {
  const text = await readFile(join(MODULE, 'go.mod'), 'utf8')
  const version = /^\s*(?:require )?k8s\.io\/kubernetes (v\d+\.\d+\.\d+)\b/m.exec(text)?.[1]
  if (version === undefined) throw new Error('go.mod does not say which k8s.io/kubernetes')
  return version
}

/** Where the programs of a version are kept: outside the repository, shared by all checkouts. */
export function programsFolder(version: string): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  return join(cache, 'tideway', 'cluster', version)
}

/** The programs of a cluster, where all of them have been installed. Looks only, builds nothing. */
export async function findPrograms(): Promise<Programs | undefined> {
  const programs = programsIn(programsFolder(await clusterVersion()))
  const isThere = await Promise.all(Object.values(programs).map(isProgram))
  return isThere.every(Boolean) ? programs : undefined
}

/**
 * Builds and fetches what is missing of a cluster's programs. What is there is used as it is.
 *
 * @param tell gets a line about each thing that is done.
 * @throws Error when Go or apt is missing or fails, with what it said.
 */
export async function installPrograms(
  tell: (line: string) => void,
  signal?: AbortSignal,
): Promise<Programs> {
  const version = await clusterVersion()
  const folder = programsFolder(version)
  const programs = programsIn(folder)
  await mkdir(folder, { recursive: true })
  if (!(await isProgram(programs.etcd))) {
    tell('fetching etcd')
    const found = await fetchEtcd(folder, programs.etcd, signal)
    tell(`etcd ${found} is at ${programs.etcd}`)
  }
  for (const name of KUBERNETES) {
    if (await isProgram(programs[name])) continue
    tell(`building ${name} ${version}; the first time this takes long`)
    await build(name, version, folder, signal)
    tell(`${name} is at ${programs[name]}`)
  }
  return programs
}

function programsIn(folder: string): Programs {
  return {
    'kube-apiserver': join(folder, 'kube-apiserver'),
    'kube-controller-manager': join(folder, 'kube-controller-manager'),
    'kube-scheduler': join(folder, 'kube-scheduler'),
    etcd: join(folder, 'etcd'),
  }
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Builds into a folder of its own first, so that a half-written program is never found. */
async function build(
  name: string,
  version: string,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const scratch = await mkdtemp(join(folder, 'build-'))
  const [, major = '1', minor = ''] = /^v(\d+)\.(\d+)/.exec(version) ?? []
  const facts = { gitVersion: version, gitMajor: major, gitMinor: minor }
  const flags = Object.entries(facts).map(
    ([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`,
  )
  try {
    await spawned(
      'go',
      [
        'build',
        '-trimpath',
        '-p',
        String(availableParallelism()),
        '-o',
        join(scratch, name),
        '-ldflags',
        ['-s', '-w', ...flags].join(' '),
        `k8s.io/kubernetes/cmd/${name}`,
      ],
      signal,
    )
    await rename(join(scratch, name), join(folder, name))
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Runs a command in the folder of go.mod; what it says goes to stderr as it comes. */
function spawned(
  command: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: MODULE,
      stdio: ['ignore', 2, 2],
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' },
      ...(signal === undefined ? {} : { signal }),
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`${command} ${args[0] ?? ''} ended with ${code ?? 'a signal'}`))
    })
  })
}

async function fetchEtcd(
  folder: string,
  target: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const scratch = await mkdtemp(join(folder, 'etcd-'))
  try {
    const unpacked = await unpackEtcd(scratch, signal)
    const { stdout } = await run(unpacked, ['--version'])
    const version = /etcd Version: (\d+)\.(\d+)\.\d+/.exec(stdout)
    const [, major, minor] = version ?? []
    if (Number(major) * 100 + Number(minor) < 305) {
      throw new Error(`etcd 3.5 or newer is needed; this one says ${stdout.split('\n')[0] ?? ''}`)
    }
    await rename(unpacked, target)
    await writeFile(`${target}.version`, stdout)
    return stdout.split('\n')[0] ?? ''
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
