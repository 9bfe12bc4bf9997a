import { lstat, realpath, stat } from 'node:fs/promises'
import { dirname, join, normalize, relative, sep } from 'node:path'
import { type Mount, RuntimeError } from '../index.ts'

/** What is at a path of the host, once symbolic links are followed. */
export type PathKind = 'dir' | 'file' | 'missing'

/** How the planner looks at the host. */
export interface HostView {
  /** What is at `path`, following links. */
  kind(path: string): Promise<PathKind>
  /** `path` without links in it. Only asked for what exists. */
  real(path: string): Promise<string>
}

/** A directory or file to make inside a volume, where another volume goes. */
export interface MountPointInVolume {
  readonly kind: 'dir' | 'file'
  readonly path: string
}

/** What to do to show the volumes of one container. */
export interface MountPlan {
  /** The arguments for the mount script. Empty when the container has no mounts. */
  readonly steps: readonly string[]
  /** To be made before: mount points that lie in other volumes, as container engines make them. */
  readonly make: readonly MountPointInVolume[]
}

interface Placed {
  readonly mount: Mount
  readonly kind: 'dir' | 'file'
  readonly path: string
}

/**
 * Decides how each volume gets to its path without making anything on the host.
 *
 * A path that exists is mounted over. A path that lies in another volume is made in that volume. For
 * any other path, the nearest directory that exists gets a layer, or, when that is `/`, the whole
 * root is rebuilt.
 *
 * @throws RuntimeError with reason InvalidSpec when a source is missing, or is a file where there is
 * a directory or the reverse.
 */
export async function planMounts(
  mounts: readonly Mount[],
  keep: readonly string[],
  host: HostView,
): Promise<MountPlan> {
  if (mounts.length === 0) return { steps: [], make: [] }
  const sorted = [...mounts].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  const placed: Placed[] = []
  const make: MountPointInVolume[] = []
  const layers = new Set<string>()
  for (const mount of sorted) {
    const kind = await sourceKind(mount, host)
    const outer = placed.findLast((other) => isUnder(mount.path, other.mount.path))
    if (outer !== undefined) {
      make.push({ kind, path: join(outer.mount.source, relative(outer.mount.path, mount.path)) })
      placed.push({ mount, kind, path: join(outer.path, relative(outer.mount.path, mount.path)) })
      continue
    }
    const found = await nearest(mount.path, host)
    if (found.exact !== undefined && found.exact !== kind) throw mismatch(mount, kind)
    if (found.exact === undefined) layers.add(found.ancestor)
    placed.push({ mount, kind, path: join(found.ancestor, found.rest) })
  }
  return { steps: [...prepare(layers, keep), ...placed.flatMap(bindStep)], make }
}

function prepare(layers: Set<string>, keep: readonly string[]): readonly string[] {
  const needsRoot = layers.delete('/')
  const outermost = [...layers].filter((path) => ![...layers].some((other) => isUnder(path, other)))
  return [
    ...keep.flatMap((path) => ['keep', path]),
    ...(needsRoot ? ['root'] : []),
    ...outermost.sort().flatMap((path) => ['layer', path]),
  ]
}

function bindStep(placed: Placed): readonly string[] {
  const mode = placed.mount.readOnly ? 'ro' : 'rw'
  return ['bind', placed.kind, mode, placed.mount.source, placed.path]
}

async function sourceKind(mount: Mount, host: HostView): Promise<'dir' | 'file'> {
  const kind = await host.kind(mount.source)
  if (kind !== 'missing') return kind
  throw new RuntimeError(
    'InvalidSpec',
    `volume "${mount.volume}" for ${mount.path}: there is nothing at ${mount.source}`,
  )
}

function mismatch(mount: Mount, kind: 'dir' | 'file'): RuntimeError {
  const [from, to] = kind === 'dir' ? ['a directory', 'a file'] : ['a file', 'a directory']
  return new RuntimeError(
    'InvalidSpec',
    `volume "${mount.volume}" is ${from} but ${mount.path} is ${to} on this machine`,
  )
}

/** The nearest directory at or above `path` that exists, without links, and what is left below it. */
async function nearest(
  path: string,
  host: HostView,
): Promise<{ ancestor: string; rest: string; exact: 'dir' | 'file' | undefined }> {
  const kind = await host.kind(path)
  if (kind !== 'missing') return { ancestor: await host.real(path), rest: '', exact: kind }
  let ancestor = dirname(path)
  while ((await host.kind(ancestor)) !== 'dir') {
    if (ancestor === '/') break
    ancestor = dirname(ancestor)
  }
  return {
    ancestor: await host.real(ancestor),
    rest: relative(ancestor, path),
    exact: undefined,
  }
}

/** Whether `path` lies below `directory` (and is not the same). */
export function isUnder(path: string, directory: string): boolean {
  const prefix = directory.endsWith(sep) ? directory : `${directory}${sep}`
  return path !== directory && path.startsWith(prefix)
}

/** The path of a mount: absolute, without `.`, `..`, doubled or closing slashes. */
export function cleanMountPath(path: string): string {
  const absolute = normalize(path.startsWith('/') ? path : `/${path}`)
  return absolute.length > 1 && absolute.endsWith('/') ? absolute.slice(0, -1) : absolute
}

/** The real host. A dangling link counts as missing. */
export const realHost: HostView = {
  async kind(path) {
    try {
      return (await stat(path)).isDirectory() ? 'dir' : 'file'
    } catch {
      return 'missing'
    }
  },
  async real(path) {
    await lstat(path)
    return await realpath(path)
  },
}
