import { readFile } from 'node:fs/promises'
import { type ContainerSecurity, RuntimeError, type SeccompProfile } from '../index.ts'
import type { Dialect } from './dialect.ts'
import type { HostConfig } from './messages.ts'

type SecurityPart = Pick<
  HostConfig,
  | 'GroupAdd'
  | 'Privileged'
  | 'ReadonlyRootfs'
  | 'CapAdd'
  | 'CapDrop'
  | 'SecurityOpt'
  | 'MaskedPaths'
  | 'ReadonlyPaths'
>

/**
 * Whom a container runs as, as engines write it: `USER`, or `USER:GROUP`. Undefined when the image
 * decides.
 *
 * @param imageUser the user of the image, for a group without a user.
 */
export function userText(
  security: ContainerSecurity | undefined,
  imageUser: string,
): string | undefined {
  const { uid, gid } = security ?? {}
  if (gid === undefined) return uid === undefined ? undefined : String(uid)
  const [user = ''] = imageUser.split(':')
  return `${uid ?? (user === '' ? 0 : user)}:${gid}`
}

/** What a container may do. Without a filter it has none, as with kubelet. */
export async function securityPart(
  security: ContainerSecurity | undefined,
  dialect: Dialect,
): Promise<SecurityPart> {
  const { groups, privileged, readOnlyRoot, addCapabilities, dropCapabilities, procMount } =
    security ?? {}
  const isUnmasked = procMount === 'Unmasked' && privileged !== true
  const words = [
    ...(await seccompWords(security?.seccomp ?? { type: 'Unconfined' }, dialect)),
    ...(security?.noNewPrivileges === true ? ['no-new-privileges'] : []),
    ...(isUnmasked && dialect.name === 'podman' ? ['unmask=ALL'] : []),
  ]
  return {
    ...(groups === undefined ? {} : { GroupAdd: groups.map(String) }),
    ...(addCapabilities === undefined ? {} : { CapAdd: addCapabilities }),
    ...(dropCapabilities === undefined ? {} : { CapDrop: dropCapabilities }),
    ...(isUnmasked && dialect.name === 'docker' ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
    Privileged: privileged === true,
    ReadonlyRootfs: readOnlyRoot === true,
    SecurityOpt: words,
  }
}

async function seccompWords(profile: SeccompProfile, dialect: Dialect): Promise<readonly string[]> {
  if (profile.type === 'RuntimeDefault') return []
  if (profile.type === 'Unconfined') return ['seccomp=unconfined']
  if (dialect.readsSeccomp) return [`seccomp=${profile.path}`]
  try {
    return [`seccomp=${await readFile(profile.path, 'utf8')}`]
  } catch (cause) {
    const message = `the filter of system calls ${profile.path} cannot be read`
    throw new RuntimeError('InvalidSpec', message, { cause })
  }
}
