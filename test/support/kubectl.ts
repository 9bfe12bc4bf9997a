import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** One kubectl of this machine. */
export interface Kubectl {
  /** As it says itself, such as `v1.33.5`. */
  readonly version: string
  readonly path: string
}

/** The reason to skip with where {@link findKubectls} finds none. */
export const KUBECTL_HINT = 'put kubectl on PATH, or run npm run test:clients:install'

const CLIENTS = fileURLToPath(new URL('../../.cache/clients', import.meta.url))
const CLOUD_SDK = '/usr/lib/google-cloud-sdk/bin'
const SUPPORTED = /^v1\.(?:29|3[0-6])\./

const run = promisify(execFile)
let found: Promise<readonly Kubectl[]> | undefined

/**
 * Every supported kubectl (1.29 to 1.36) of this machine, one a minor version, oldest first.
 *
 * Looks at the variable `KUBECTL`, at what `npm run test:clients:install` fetched, at the Google
 * Cloud SDK and at `PATH`. When `KUBECTL` is set, only that one counts, whatever its version.
 */
export function findKubectls(): Promise<readonly Kubectl[]> {
  found ??= find()
  return found
}

/** The newest kubectl of this machine, for tests that need any. */
export async function newestKubectl(): Promise<Kubectl | undefined> {
  return (await findKubectls()).at(-1)
}

async function find(): Promise<readonly Kubectl[]> {
  const chosen = process.env['KUBECTL']
  if (chosen !== undefined && chosen !== '') {
    const kubectl = await ask(chosen)
    if (kubectl === undefined) throw new Error(`KUBECTL=${chosen} does not say its version`)
    return [kubectl]
  }
  const answers = await Promise.all((await candidates()).map(ask))
  const byMinor = new Map<number, Kubectl>()
  for (const kubectl of answers) {
    if (kubectl === undefined || !SUPPORTED.test(kubectl.version)) continue
    const minor = minorOf(kubectl)
    if (!byMinor.has(minor)) byMinor.set(minor, kubectl)
  }
  return [...byMinor.values()].sort((a, b) => minorOf(a) - minorOf(b))
}

async function candidates(): Promise<readonly string[]> {
  const fetched = (await list(CLIENTS)).filter((name) => /^kubectl-v\d+$/.test(name))
  const sdk = (await list(CLOUD_SDK)).filter((name) => /^kubectl\.1\.\d+$/.test(name))
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return [
    ...fetched.map((name) => join(CLIENTS, name)),
    ...sdk.map((name) => join(CLOUD_SDK, name)),
    ...onPath.map((folder) => join(folder, 'kubectl')),
  ]
}

async function list(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch {
    return []
  }
}

async function ask(path: string): Promise<Kubectl | undefined> {
  try {
    const { stdout } = await run(path, ['version', '--client', '-o', 'json'])
    const answer = JSON.parse(stdout) as { clientVersion?: { gitVersion?: unknown } }
    const version = answer.clientVersion?.gitVersion
    return typeof version === 'string' ? { version, path } : undefined
  } catch {
    // Not there, or not a program of this machine: it does not count.
    return undefined
  }
}

function minorOf(kubectl: Kubectl): number {
  return Number(/^v1\.(\d+)\./.exec(kubectl.version)?.[1] ?? Number.NaN)
}
