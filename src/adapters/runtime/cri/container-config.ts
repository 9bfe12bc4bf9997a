import { relative } from 'node:path'
import { CPU_PERIOD_US, cpuQuotaUs, cpuShares } from '../cpu-limits.ts'
import { containerAnnotations, containerLabels } from '../identity.ts'
import type { ContainerSpec, Limits, Mount, SandboxSpec } from '../index.ts'
import type { ContainerConfig, LinuxResources, MountMessage } from './messages.ts'
import { namespaceOptions } from './sandbox-config.ts'
import { securityContext } from './security-context.ts'

const PROPAGATIONS: Readonly<Record<string, MountMessage['propagation']>> = {
  private: 'PROPAGATION_PRIVATE',
  hostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  bidirectional: 'PROPAGATION_BIDIRECTIONAL',
}

/** Limits as the interface has them. Memory and swap are limited together: nothing is swapped out. */
export function linuxResources(limits: Limits): LinuxResources {
  const { memoryBytes, cpuMillis, cpuRequestMillis = 0, oomScoreAdjust } = limits
  return {
    cpuShares: cpuShares(cpuRequestMillis),
    ...(cpuMillis === undefined
      ? {}
      : { cpuPeriod: CPU_PERIOD_US, cpuQuota: cpuQuotaUs(cpuMillis) }),
    ...(memoryBytes === undefined
      ? {}
      : { memoryLimitInBytes: memoryBytes, memorySwapLimitInBytes: memoryBytes }),
    ...(oomScoreAdjust === undefined ? {} : { oomScoreAdj: oomScoreAdjust }),
  }
}

/** A container as the Container Runtime Interface asks for it. */
export function containerConfig(
  owner: string,
  sandbox: SandboxSpec,
  spec: ContainerSpec,
): ContainerConfig {
  const { name, attempt, image, command, args, workingDir, env, mounts, limits } = spec
  return {
    metadata: { name, attempt },
    image: { image },
    command,
    args,
    workingDir: workingDir ?? '',
    envs: Object.entries(env).map(([key, value]) => ({ key, value })),
    mounts: mounts.map(mountOf),
    labels: containerLabels(owner, sandbox, name),
    annotations: containerAnnotations(spec),
    logPath: relative(sandbox.logDirectory ?? '/', spec.logPath),
    stdin: spec.stdin !== undefined,
    stdinOnce: spec.stdin === 'once',
    tty: spec.tty === true,
    linux: {
      resources: linuxResources(limits),
      securityContext: {
        namespaceOptions: {
          ...namespaceOptions(sandbox.namespaces),
          ...(spec.besideProcessesOf === undefined
            ? {}
            : { pid: 'TARGET', targetId: spec.besideProcessesOf }),
        },
        ...securityContext(spec.security),
      },
    },
  }
}

function mountOf({ source, path, readOnly, propagation = 'private' }: Mount): MountMessage {
  return {
    hostPath: source,
    containerPath: path,
    readonly: readOnly,
    propagation: PROPAGATIONS[propagation] ?? 'PROPAGATION_PRIVATE',
  }
}
