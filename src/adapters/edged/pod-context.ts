import type { Clock, Random } from '../../core/interfaces/clock.ts'
import type { Logger } from '../../core/interfaces/logger.ts'
import type { ObjectStore } from '../kubernetes/objects/types.ts'
import type { PodRuntime } from '../runtime/index.ts'
import type { RestartBackoff } from './backoff.ts'
import type { ApiPlace } from './environment/link-variables.ts'
import type { Occurrence } from './events/event-record.ts'
import type { EvictionRules } from './eviction/eviction.ts'
import type { NodeFacts } from './node/node-status.ts'
import type { ClusterDns } from './pod-dns.ts'
import type { IssuePodToken } from './pod-tokens.ts'
import type { PodView } from './pod-view.ts'

/** The Kubernetes API that the pods of a node are pointed at. */
export interface PodApi extends ApiPlace {
  /** Certificates that it is believed by, PEM: added to those of `kube-root-ca.crt`. */
  readonly caPem: string
  /** Issues the tokens in projected volumes. */
  readonly issue: IssuePodToken
}

/** What everything that works on pods shares. */
export interface PodContext {
  readonly store: ObjectStore
  readonly runtime: PodRuntime
  /** Undefined: pods are told what objects say, and there are no tokens. */
  readonly api: PodApi | undefined
  /** Undefined: pods find names as the machine does. */
  readonly clusterDns: ClusterDns | undefined
  /** Where the directories of pods and their logs are. */
  readonly directory: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly backoff: RestartBackoff
  /** How many processes and threads a pod may have. Undefined: as many as the machine. */
  readonly podProcessesMax: number | undefined
  /** Settings of the kernel that pods may have beside the safe ones. */
  readonly unsafeSysctls: readonly string[]
  readonly node: () => NodeFacts
  readonly record: (occurrence: Occurrence) => void
  /** Which pods the node ends or does not let begin. */
  readonly evictions: EvictionRules
  /** Asks for another look at a pod. */
  readonly hint: (uid: string) => void
  /** Aborted when edged is closed: what goes on in the background then ends in silence. */
  readonly closed: AbortSignal
}

/** Tells about a pod, or about one of its containers. */
export function tell(
  context: Pick<PodContext, 'record'>,
  pod: PodView,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
  container?: string,
): void {
  const lists = ['initContainers', 'ephemeralContainers'] as const
  const list = lists.find((each) => pod[each].some(({ name }) => name === container))
  context.record({
    kind: 'Pod',
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    type,
    reason,
    message,
    fieldPath: container === undefined ? undefined : `spec.${list ?? 'containers'}{${container}}`,
  })
}
