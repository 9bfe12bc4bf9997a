import { ObjectError } from '../../kubernetes/objects/types.ts'

/** Where a kubelet serves its own API, and what proves to it who asks. */
export interface KubeletAccess {
  /** A name or an address. */
  readonly host: string
  readonly port: number
  /** Signed the certificate of its API, PEM. */
  readonly ca: string
  /** A certificate that its API believes, PEM. */
  readonly cert: string
  /** The key of {@link cert}, PEM. */
  readonly key: string
}

/** A kubelet that can be asked, or undefined while it cannot. */
export type FindKubelet = () => KubeletAccess | undefined

/** @throws ObjectError `ServiceUnavailable` while there is none. */
export function kubeletOf(find: FindKubelet): KubeletAccess {
  const access = find()
  if (access !== undefined) return access
  throw new ObjectError('ServiceUnavailable', 'the kubelet of this node has not begun yet')
}

/** A path of its API, of names. */
export function pathOf(...names: readonly string[]): string {
  return `/${names.map(encodeURIComponent).join('/')}`
}
