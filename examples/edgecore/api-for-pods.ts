import { isWildcard, outsideAddresses } from '../shared/machine-addresses.ts'

/** What decides where pods look for the API of their node. */
export interface ApiPlace {
  /** Where the API listens, as it was asked for. */
  readonly listens: string
  /** What the node calls itself, where that was said. */
  readonly address: string | undefined
  /** Pods have a network of their own, in which loopback is theirs. */
  readonly ownNetworks: boolean
}

/** Where pods are sent, and whether they can get there. */
export interface ApiForPods {
  readonly host: string
  readonly isReachable: boolean
}

const LOOPBACK = /^(127\.|::1$|localhost$)/

/** Where the pods of a node find its API. */
export function apiForPods(
  { listens, address, ownNetworks }: ApiPlace,
  outside: readonly string[] = outsideAddresses(),
): ApiForPods {
  const isEverywhere = isWildcard(listens)
  if (!ownNetworks) return { host: isEverywhere ? '127.0.0.1' : listens, isReachable: true }
  const host = isEverywhere ? (address ?? outside[0] ?? '127.0.0.1') : listens
  return { host, isReachable: !LOOPBACK.test(host) }
}
