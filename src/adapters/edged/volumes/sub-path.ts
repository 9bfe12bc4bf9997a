import { chmod, mkdir, realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { JsonObject } from '../../kubernetes/objects/types.ts'
import { expand, missingIn } from '../environment/expansion.ts'
import { asText } from '../json.ts'

/** Which part of a volume is mounted, or why that cannot be said, in kubelet's words. */
export interface SubPath {
  /** Relative to the volume; empty for the whole of it. */
  readonly path: string
  readonly problem?: string
}

/**
 * Reads which part of a volume a mount is about.
 *
 * @param env the variables of the container; undefined while they are not known.
 */
export function subPathOf(
  mount: JsonObject,
  env: Readonly<Record<string, string>> | undefined,
): SubPath {
  const expression = asText(mount['subPathExpr']) ?? ''
  const missing = env === undefined ? undefined : missingIn(expression, env)
  if (missing !== undefined) return { path: '', problem: `missing value for ${missing}` }
  // Only an expression names variables.
  const path = expression === '' ? (asText(mount['subPath']) ?? '') : expand(expression, env ?? {})
  if (path.startsWith('/'))
    return { path: '', problem: `error SubPath \`${path}\` must not be an absolute path` }
  if (path.split('/').includes('..'))
    return { path: '', problem: `unable to provision SubPath \`${path}\`: must not contain '..'` }
  return { path }
}

/**
 * Finds what is at a path below a volume, past all links: a container that writes to the volume must
 * not lead another one out of it.
 *
 * @param mayMake whether directories that are missing are made.
 * @returns where it is; undefined when it is not in the volume.
 */
export async function findBelow(
  volume: string,
  path: string,
  mayMake: boolean,
): Promise<string | undefined> {
  try {
    const root = await realpath(volume)
    if (mayMake && !isBelow(root, await realpath(await nearest(path)))) return undefined
    if (mayMake) await makeBelow(volume, path)
    const found = await realpath(path)
    return isBelow(root, found) ? found : undefined
  } catch {
    // Such as a link that leads nowhere, or round in a circle.
    return undefined
  }
}

function isBelow(root: string, path: string): boolean {
  return path === root || path.startsWith(root === '/' ? root : `${root}/`)
}

/** What is there of a path. */
async function nearest(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  )
  return isThere || path === '/' ? path : await nearest(dirname(path))
}

/** What is made below a volume may be used by whoever may use the volume. */
async function makeBelow(volume: string, path: string): Promise<void> {
  const { mode } = await stat(volume)
  const first = await mkdir(path, { recursive: true }).catch(() => undefined)
  if (first === undefined) return
  for (let each = path; each.length >= first.length; each = dirname(each)) {
    await chmod(each, mode & 0o777)
  }
}
