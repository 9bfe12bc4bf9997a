import type { KubeObject, ObjectStore } from '../../objects/types.ts'
import { withServiceAccount } from './service-account.ts'

/** What {@link createAdmission} works with. */
export interface AdmissionOptions {
  readonly store: Pick<ObjectStore, 'get'>
  /** Whether new pods are given their service account, which then has to be there. */
  readonly serviceAccounts: boolean
}

/** What is decided of an object by what else there is, as the admission plugins of Kubernetes do. */
export interface Admission {
  /**
   * Completes a new object, once its defaults are filled in.
   *
   * @throws StatusError 403 when it may not be.
   */
  complete(resource: string, object: KubeObject): KubeObject
}

/** The admission of a server. */
export function createAdmission({ store, serviceAccounts }: AdmissionOptions): Admission {
  return {
    complete: (resource, object) => {
      if (resource !== 'pods') return object
      return serviceAccounts ? withServiceAccount(object, store) : object
    },
  }
}
