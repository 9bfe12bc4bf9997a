import { join } from 'node:path'
import type { ContainerSpec, SandboxSpec } from '../index.ts'
import { cleanMountPath } from './mount-plan.ts'

/** The directory with one symbolic link for each volume of a container, at its mount path. */
export function containerRoot(podDirectory: string, container: string): string {
  return join(podDirectory, 'root', container)
}

/** The variable that holds where a volume is: `TIDEWAY_MOUNT_APP_CONFIG` for `app-config`. */
export function mountVariable(volume: string): string {
  return `TIDEWAY_MOUNT_${volume.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`
}

/**
 * The variables that tell a process where it is: `TIDEWAY_POD_DIR`, below which every volume is found
 * at its mount path whether or not mounts work here, and one for each volume.
 *
 * @param mounted whether volumes appear at their mount paths themselves.
 */
export function containerVariables(
  sandbox: SandboxSpec,
  container: Pick<ContainerSpec, 'name' | 'mounts'>,
  mounted: boolean,
  defaults: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const volumes: Record<string, string> = {}
  for (const mount of container.mounts) {
    const name = mountVariable(mount.volume)
    // A volume that is mounted twice is found at its first path.
    volumes[name] ??= mounted ? cleanMountPath(mount.path) : mount.source
  }
  return {
    ...defaults,
    HOSTNAME: sandbox.hostname,
    ...volumes,
    TIDEWAY_POD_DIR: containerRoot(sandbox.directory, container.name),
  }
}

/**
 * Splits variables by whether a POSIX shell passes them on: names such as `app.port` are allowed in
 * Kubernetes, but shells drop them.
 */
export function splitByName(env: Readonly<Record<string, string>>): {
  readonly plain: Record<string, string>
  readonly odd: readonly string[]
} {
  const plain: Record<string, string> = {}
  const odd: string[] = []
  for (const [name, value] of Object.entries(env)) {
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) plain[name] = value
    else odd.push(`${name}=${value}`)
  }
  return { plain, odd }
}
