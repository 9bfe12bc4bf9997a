import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { buildKubernetes, cacheFolder, isProgram, kubernetesVersion } from './build-program.ts'
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
export function clusterVersion(): Promise<string> {
  return kubernetesVersion(MODULE)
}

/** Where the programs of a version are kept: outside the repository, shared by all checkouts. */
export function programsFolder(version: string): string {
  return cacheFolder('cluster', version)
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
    const source = { module: MODULE, package: `k8s.io/kubernetes/cmd/${name}` }
    await buildKubernetes({ ...source, target: programs[name] }, signal)
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
