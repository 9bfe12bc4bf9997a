import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** One helm of this machine. */
export interface Helm {
  /** As it says itself, such as `v4.2.3`. */
  readonly version: string
  readonly path: string
}

/** The reason to skip with where {@link findHelms} finds none. */
export const HELM_HINT = 'put helm on PATH, or run npm run test:clients:install'

/** A chart of the usual shape: workloads, network, policies, hooks and a kind of its own. */
export const CHART: string = fileURLToPath(new URL('chart', import.meta.url))

const CLIENTS = fileURLToPath(new URL('../../.cache/clients', import.meta.url))
const SUPPORTED = /^v[34]\./
const run = promisify(execFile)

/**
 * The newest helm of each major version of this machine: the variable `HELM`, what
 * `npm run test:clients:install` fetched, and `PATH`.
 */
export async function findHelms(): Promise<readonly Helm[]> {
  const fetched = await readdir(CLIENTS).catch(() => [])
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const paths = [
    ...(process.env['HELM'] ?? '').split(delimiter).filter((path) => path !== ''),
    ...fetched.filter((name) => /^helm-v\d+$/.test(name)).map((name) => join(CLIENTS, name)),
    ...folders.map((folder) => join(folder, 'helm')),
  ]
  const newest = new Map<string, Helm>()
  for (const helm of await Promise.all(paths.map(ask))) {
    if (helm === undefined || !SUPPORTED.test(helm.version)) continue
    const major = helm.version.slice(0, 2)
    const known = newest.get(major)
    if (known === undefined || isNewer(helm, known)) newest.set(major, helm)
  }
  return [...newest.values()]
}

async function ask(path: string): Promise<Helm | undefined> {
  try {
    const { stdout } = await run(path, ['version', '--template', '{{.Version}}'])
    return { version: stdout.trim(), path }
  } catch {
    // Not there, or not a program of this machine: it does not count.
    return undefined
  }
}

function isNewer(a: Helm, b: Helm): boolean {
  return a.version.localeCompare(b.version, 'en', { numeric: true }) > 0
}
