import type { Clock } from '../../../../core/interfaces/clock.ts'
import { textAt } from '../../objects/read.ts'
import type { KubeObject, ObjectStore } from '../../objects/types.ts'
import { forbidden, type NamedResource } from '../status.ts'
import { limitProblem, withLimitDefaults } from './limit-range.ts'
import { askQuotas, QuotaReservations } from './resource-quota.ts'
import { withServiceAccount } from './service-account.ts'

/** What {@link createAdmission} works with. */
export interface AdmissionOptions {
  readonly store: Pick<ObjectStore, 'get' | 'list' | 'resource' | 'watch'>
  /** Whether new pods are given their service account, which then has to be there. */
  readonly serviceAccounts: boolean
  readonly clock: Clock
}

/** A write that is looked at before it is stored. */
export interface AdmittedWrite {
  /** How refusals name the resource. */
  readonly served: NamedResource
  /** The id of the resource. */
  readonly resource: string
  /** As it would be stored. */
  readonly object: KubeObject
  /** As it is stored; undefined for a new object. */
  readonly before: KubeObject | undefined
  /** The part that is written, where it is not the whole. */
  readonly subresource?: string
}

/** What is decided of an object by what else there is, as the admission plugins of Kubernetes do. */
export interface Admission {
  /** Waits a moment for what a controller is about to make: the account of a new namespace. */
  awaited(resource: string, namespace: string | undefined, object: KubeObject): Promise<void>
  /**
   * Completes a new object, once its defaults are filled in.
   *
   * @throws StatusError 403 when it may not be.
   */
  complete(resource: string, object: KubeObject): KubeObject
  /**
   * Whether an object may be stored by the limits and quotas of its namespace.
   *
   * @returns what gives up the room that was reserved for it: to be called once it is stored, or is not.
   * @throws StatusError 403 when it may not.
   */
  check(write: AdmittedWrite): () => void
}

/** Kubernetes tries ten times, 100 to 200 ms apart. */
const ACCOUNT_WAIT_MS = 1_500

/** The admission of a server. */
export function createAdmission(options: AdmissionOptions): Admission {
  const { store, serviceAccounts, clock } = options
  const reservations = new QuotaReservations()
  const rangesOf = ({ metadata: { namespace } }: KubeObject): readonly KubeObject[] =>
    namespace === undefined ? [] : store.list('limitranges', namespace).items
  return {
    awaited: async (resource, namespace, object) => {
      const name = textAt(object, 'spec', 'serviceAccountName') ?? DEFAULT_ACCOUNT
      if (!serviceAccounts || resource !== 'pods' || name !== DEFAULT_ACCOUNT) return
      if (namespace !== undefined) await accountOf(options, namespace)
    },
    complete: (resource, object) => {
      if (resource !== 'pods') return object
      const limited = withLimitDefaults(object, rangesOf(object))
      return serviceAccounts ? withServiceAccount(limited, store) : limited
    },
    check: ({ served, resource, object, before, subresource }) => {
      const { name } = object.metadata
      // What has begun to go does not get more.
      if (before?.metadata.deletionTimestamp !== undefined) return () => undefined
      // What pods use changes by a resize only.
      const isResize = subresource === 'resize'
      const isLimited =
        resource === 'persistentvolumeclaims' ||
        (resource === 'pods' && (before === undefined || isResize))
      const problem = isLimited ? limitProblem(resource, object, rangesOf(object)) : undefined
      if (problem !== undefined) throw forbidden(served, name, problem)
      const nowMs = clock.wallMs()
      const answer = askQuotas({ store, reservations, resource, object, before, isResize, nowMs })
      if ('problem' in answer) throw forbidden(served, name, answer.problem)
      return answer.release
    },
  }
}

const DEFAULT_ACCOUNT = 'default'

/** Resolves when a namespace that is there has its account, or when it took too long. */
function accountOf({ store, clock }: AdmissionOptions, namespace: string): Promise<void> {
  const isThere = (): boolean =>
    store.get({ resource: 'serviceaccounts', namespace, name: DEFAULT_ACCOUNT }) !== undefined
  const home = store.get({ resource: 'namespaces', name: namespace })
  if (isThere() || home === undefined || home.metadata.deletionTimestamp !== undefined)
    return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      unwatch()
      cancel()
      resolve()
    }
    const cancel = clock.schedule(ACCOUNT_WAIT_MS, done)
    const unwatch = store.watch('serviceaccounts', { namespace }, () => {
      if (isThere()) done()
    })
  })
}
