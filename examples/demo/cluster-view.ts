import type { KubeObject } from 'tideway/adapters/kubernetes/objects'
import type { Site } from './fleet.ts'

/** A pod as the story looks at it. */
export interface PodSummary {
  readonly name: string
  readonly phase: string
  readonly ready: boolean
  readonly restarts: number
  readonly node: string
  /** How the run before the current one ended; empty when there was none. */
  readonly lastEnd: string
}

interface Ended {
  readonly exitCode?: number
  readonly reason?: string
  readonly finishedAt?: string
}

const NAMESPACE = '/api/v1/namespaces/default'

/** The pods that a replica knows, by name. */
export async function podsAt(site: Site): Promise<ReadonlyMap<string, PodSummary>> {
  const { items } = await site.api.expect('GET', `${NAMESPACE}/pods`)
  const pods = (Array.isArray(items) ? (items as KubeObject[]) : []).map(summaryOf)
  return new Map(pods.map((pod) => [pod.name, pod]))
}

function summaryOf(pod: KubeObject): PodSummary {
  const status = (pod['status'] ?? {}) as {
    readonly phase?: string
    readonly containerStatuses?: readonly {
      readonly ready?: boolean
      readonly restartCount?: number
      readonly lastState?: { readonly terminated?: Ended }
    }[]
  }
  const { nodeName } = (pod['spec'] ?? {}) as { readonly nodeName?: string }
  const containers = status.containerStatuses ?? []
  return {
    name: pod.metadata.name,
    phase: status.phase ?? 'Pending',
    ready: containers.length > 0 && containers.every((container) => container.ready === true),
    restarts: containers.reduce((sum, container) => sum + (container.restartCount ?? 0), 0),
    node: nodeName ?? '',
    lastEnd: containers.map((container) => endText(container.lastState?.terminated)).join(''),
  }
}

function endText(ended: Ended | undefined): string {
  if (ended === undefined) return ''
  return `${ended.reason ?? ''} with exit code ${ended.exitCode ?? ''} at ${ended.finishedAt ?? ''}`
}

/** How many pods whose name starts like this are ready at a replica. */
export async function readyCount(site: Site, prefix = ''): Promise<number> {
  const pods = [...(await podsAt(site)).values()]
  return pods.filter((pod) => pod.name.startsWith(prefix) && pod.ready).length
}

/** The data of a config map at a replica. */
export async function configAt(
  site: Site,
  name: string,
): Promise<Readonly<Record<string, string>>> {
  const object = await site.api.expect('GET', `${NAMESPACE}/configmaps/${name}`)
  return (object['data'] ?? {}) as Record<string, string>
}

/** Whether a node is ready in the eyes of a replica. */
export async function isNodeReady(site: Site, node: string): Promise<boolean> {
  const object = await site.api.expect('GET', `/api/v1/nodes/${node}`)
  const status = (object['status'] ?? {}) as {
    readonly conditions?: readonly { readonly type?: string; readonly status?: string }[]
  }
  return (
    status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ??
    false
  )
}

/** The process ids that a container has printed, one for each of its starts. */
export function pidsIn(log: string): readonly number[] {
  return [...log.matchAll(/^pid=(\d+)/gm)].map((match) => Number(match[1]))
}

/** Whether a process is there. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
