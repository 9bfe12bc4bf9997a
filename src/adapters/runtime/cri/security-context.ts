import type { ContainerSecurity, SeccompProfile } from '../index.ts'
import type { ContainerSecurityContext, Int64Value, SecurityProfile } from './messages.ts'

/** What a container that is not privileged does not see of the kernel; what runc and kubelet hide, too. */
const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
] as const
/** What it sees and cannot change. */
const READ_ONLY_PATHS = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
] as const

/** Whom something runs as. Nothing for what is not asked for: then the image decides. */
export function identityOf(security: ContainerSecurity | undefined): {
  readonly runAsUser?: Int64Value
  readonly runAsGroup?: Int64Value
  readonly supplementalGroups?: readonly number[]
} {
  const { uid, gid, groups } = security ?? {}
  return {
    ...(uid === undefined ? {} : { runAsUser: { value: uid } }),
    ...(gid === undefined ? {} : { runAsGroup: { value: gid } }),
    ...(groups === undefined ? {} : { supplementalGroups: groups }),
  }
}

/** A filter of system calls, as the interface names it. */
export function seccompOf(profile: SeccompProfile): SecurityProfile {
  return profile.type === 'Localhost'
    ? { profileType: 'Localhost', localhostRef: profile.path }
    : { profileType: profile.type }
}

/** What a container may do. Without a filter it has none, as with kubelet. */
export function securityContext(
  security: ContainerSecurity | undefined,
): Omit<ContainerSecurityContext, 'namespaceOptions'> {
  const isPrivileged = security?.privileged === true
  const isOpen = isPrivileged || security?.procMount === 'Unmasked'
  return {
    ...identityOf(security),
    ...(security?.userName === undefined || security.uid !== undefined
      ? {}
      : { runAsUsername: security.userName }),
    capabilities: {
      addCapabilities: security?.addCapabilities ?? [],
      dropCapabilities: security?.dropCapabilities ?? [],
    },
    privileged: isPrivileged,
    readonlyRootfs: security?.readOnlyRoot === true,
    noNewPrivs: security?.noNewPrivileges === true,
    maskedPaths: isOpen ? [] : MASKED_PATHS,
    readonlyPaths: isOpen ? [] : READ_ONLY_PATHS,
    seccomp: seccompOf(security?.seccomp ?? { type: 'Unconfined' }),
  }
}
