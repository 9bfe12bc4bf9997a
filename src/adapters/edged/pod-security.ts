import { join } from 'node:path'
import type { Json, JsonObject } from '../kubernetes/objects/types.ts'
import type {
  ContainerSecurity,
  ImageStatus,
  RuntimeFeatures,
  SeccompProfile,
  SecurityField,
} from '../runtime/index.ts'
import { asNumber, asObject, asText, asTexts } from './json.ts'
import { allContainers, type ContainerView, type PodView } from './pod-view.ts'

/** What a runtime has to support for each field of a security context; `edged` does some by itself. */
const FIELDS: Readonly<Record<string, readonly SecurityField[] | 'edged' | 'networks'>> = {
  allowPrivilegeEscalation: ['noNewPrivileges'],
  capabilities: ['addCapabilities', 'dropCapabilities'],
  fsGroup: ['groups'],
  fsGroupChangePolicy: 'edged',
  privileged: ['privileged'],
  procMount: ['procMount'],
  readOnlyRootFilesystem: ['readOnlyRoot'],
  runAsGroup: ['gid'],
  runAsNonRoot: ['uid'],
  runAsUser: ['uid'],
  seccompProfile: ['seccomp'],
  supplementalGroups: ['groups'],
  sysctls: 'networks',
}

/** What each of these is without being asked for. */
const UNCHANGED: Readonly<Record<string, string>> = {
  procMount: 'Default',
  supplementalGroupsPolicy: 'Merge',
}

/** Profiles of `seccompProfile.type: Localhost` are below this directory of edged's. */
const SECCOMP_DIRECTORY = 'seccomp'

/** The security context of a container: its own fields, and those of the pod that it does not have. */
function contextOf(pod: PodView, container: ContainerView): JsonObject {
  const ofPod = asObject(pod.spec['securityContext'])
  return { ...ofPod, ...asObject(container.json['securityContext']) }
}

/**
 * Whom a container runs as and what it may do.
 *
 * @param image what the container runs; undefined on a runtime without images.
 * @param directory edged's own.
 */
export function containerSecurity(
  pod: PodView,
  container: ContainerView,
  image: ImageStatus | undefined,
  directory: string,
): ContainerSecurity {
  const context = contextOf(pod, container)
  const capabilities = asObject(context['capabilities'])
  const procMount = asText(context['procMount'])
  const add = asTexts(capabilities['add'])
  const drop = asTexts(capabilities['drop'])
  const groups = groupsOf(pod)
  const seccomp = seccompOf(asObject(context['seccompProfile']), directory)
  return defined({
    uid: asNumber(context['runAsUser']) ?? uidOf(image),
    // An engine takes no group without a user.
    userName: asNumber(context['runAsUser']) === undefined ? image?.userName : undefined,
    gid: asNumber(context['runAsGroup']),
    groups: groups.length === 0 ? undefined : groups,
    privileged: context['privileged'] === true ? true : undefined,
    readOnlyRoot: context['readOnlyRootFilesystem'] === true ? true : undefined,
    noNewPrivileges: context['allowPrivilegeEscalation'] === false ? true : undefined,
    addCapabilities: add.length === 0 ? undefined : add.map(withoutPrefix),
    dropCapabilities: drop.length === 0 ? undefined : drop.map(withoutPrefix),
    seccomp,
    procMount: procMount === 'Unmasked' || procMount === 'Default' ? procMount : undefined,
  })
}

/** Whom the sandbox of a pod runs as: what its containers have in common. */
export function sandboxSecurity(pod: PodView): ContainerSecurity {
  const context = asObject(pod.spec['securityContext'])
  const groups = groupsOf(pod)
  const isPrivileged = allContainers(pod).some(
    ({ json }) => asObject(json['securityContext'])['privileged'] === true,
  )
  const uid = asNumber(context['runAsUser'])
  return defined({
    uid,
    // An engine takes no group without a user.
    gid: uid === undefined ? undefined : asNumber(context['runAsGroup']),
    groups: groups.length === 0 ? undefined : groups,
    privileged: isPrivileged ? true : undefined,
  })
}

/**
 * Whether a container that must not run as root would.
 *
 * @param ownUid whom processes run as by default on a runtime without images; undefined where that
 *   cannot be chosen, and is told otherwise.
 * @returns what is wrong, in kubelet's words; undefined when it may be started.
 */
export function rootProblem(
  pod: PodView,
  container: ContainerView,
  image: ImageStatus | undefined,
  ownUid?: number | undefined,
): string | undefined {
  const context = contextOf(pod, container)
  if (context['runAsNonRoot'] !== true) return undefined
  const where = `(pod: "${pod.name}_${pod.namespace}(${pod.uid})", container: ${container.name})`
  const uid = asNumber(context['runAsUser'])
  if (uid === 0) return `container's runAsUser breaks non-root policy ${where}`
  if (uid !== undefined) return undefined
  const userName = image?.userName
  if (image?.uid === undefined && userName !== undefined) {
    return `container has runAsNonRoot and image has non-numeric user (${userName}), cannot verify user is non-root ${where}`
  }
  return (uidOf(image) ?? ownUid) === 0
    ? `container has runAsNonRoot and image will run as root ${where}`
    : undefined
}

/** What of a security context asks for something that this runtime cannot do. */
export function ignoredSecurity(
  pod: PodView,
  container: ContainerView,
  supports: Pick<RuntimeFeatures, 'security' | 'networks'>,
): readonly string[] {
  return Object.entries(contextOf(pod, container))
    .filter(([field, value]) => {
      if (!asksForSomething(field, value)) return false
      const needs = FIELDS[field]
      if (needs === 'edged') return false
      if (needs === 'networks') return !supports.networks
      return needs === undefined || !needs.every((need) => supports.security.has(need))
    })
    .map(([field]) => field)
    .sort()
}

/** Whether a field asks for anything but what is so without it. */
function asksForSomething(field: string, value: Json | undefined): boolean {
  if (value === null || value === undefined) return false
  if (field === 'allowPrivilegeEscalation') return value === false
  return value !== false && value !== UNCHANGED[field]
}

/** The group that the volumes of a pod belong to. */
export function fsGroupOf(pod: PodView): number | undefined {
  return asNumber(asObject(pod.spec['securityContext'])['fsGroup'])
}

/** The user of all containers of a pod, where it names one and the same for them. */
export function onlyUserOf(pod: PodView): number | undefined {
  const users = allContainers(pod)
    .filter(({ kind }) => kind !== 'ephemeral')
    .map((container) => asNumber(contextOf(pod, container)['runAsUser']))
  return users.every((each) => each === users[0]) ? users[0] : undefined
}

function groupsOf(pod: PodView): readonly number[] {
  const { supplementalGroups } = asObject(pod.spec['securityContext'])
  const others = Array.isArray(supplementalGroups)
    ? supplementalGroups.filter((group) => typeof group === 'number')
    : []
  const fsGroup = fsGroupOf(pod)
  return [...new Set(fsGroup === undefined ? others : [fsGroup, ...others])]
}

/** An image that says nothing runs as root; of a name the engine knows the number. */
function uidOf(image: ImageStatus | undefined): number | undefined {
  if (image === undefined) return undefined
  return image.uid ?? (image.userName === undefined ? 0 : undefined)
}

function seccompOf(profile: JsonObject, directory: string): SeccompProfile | undefined {
  const type = asText(profile['type'])
  if (type === 'RuntimeDefault' || type === 'Unconfined') return { type }
  if (type !== 'Localhost') return undefined
  const path = asText(profile['localhostProfile']) ?? ''
  return { type, path: join(directory, SECCOMP_DIRECTORY, path) }
}

function withoutPrefix(capability: string): string {
  return capability.replace(/^CAP_/, '')
}

function defined(security: ContainerSecurity): ContainerSecurity {
  const entries = Object.entries(security).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries)
}
