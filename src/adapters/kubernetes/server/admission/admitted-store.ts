import type { Clock } from '../../../../core/interfaces/clock.ts'
import type { CreateOptions, KubeObject, ObjectStore } from '../../objects/types.ts'
import { applyDefaults, initialStatus } from '../kinds/defaults.ts'
import { prepareCreate } from '../kinds/prepare.ts'
import { overlaid } from '../store-overlay.ts'
import { createAdmission } from './admission.ts'

/** What {@link admittedStore} needs beside the store. */
export interface AdmittedStoreOptions {
  readonly clock: Clock
  /** Whether pods are given their service account. Default: yes. */
  readonly serviceAccounts?: boolean | undefined
}

/**
 * A store for controllers that make pods beside the API: what they make is completed and bounded as if
 * it came through the API, with service account, limits, priority and quotas.
 *
 * Its `create` rejects with a StatusError, of reason `Forbidden`, where the API would refuse a pod.
 */
export function admittedStore(
  store: ObjectStore,
  { clock, serviceAccounts = true }: AdmittedStoreOptions,
): ObjectStore {
  const admission = createAdmission({ store, serviceAccounts, clock })
  const served = { plural: 'pods', group: '', kind: 'Pod' }
  const create = async (given: KubeObject, options?: CreateOptions): Promise<KubeObject> => {
    if (given.kind !== 'Pod' || given.apiVersion !== 'v1') return await store.create(given, options)
    await admission.awaited('pods', given.metadata.namespace, given)
    const completed = admission.complete('pods', applyDefaults('pods', given))
    const now = `${new Date(clock.wallMs()).toISOString().slice(0, 19)}Z`
    const { object } = prepareCreate('pods', completed, { store, now })
    const release = admission.check({ served, resource: 'pods', object, before: undefined })
    try {
      const status = object['status'] ?? initialStatus('pods', object)
      return await store.create({ ...object, status }, options)
    } finally {
      release()
    }
  }
  return overlaid(store, { create })
}
