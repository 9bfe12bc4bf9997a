import { withKubelet } from '../kubelet.ts'
import { CLUSTER_DNS, withPlace } from './node-place.ts'
import { NODE, type NodeSide } from './node-side.ts'

/** Runs something on a node whose pods kubelet runs, from our documents. */
export function withKubeletSide<T>(path: string, use: (side: NodeSide) => Promise<T>): Promise<T> {
  return withPlace(({ containerd, ...place }) => {
    const { url } = place.server.api.server
    const api = { url, caPem: place.server.api.caPem, token: 'token-of-root' }
    const configuration = {
      clusterDNS: CLUSTER_DNS.servers,
      clusterDomain: CLUSTER_DNS.domain,
      // A changed volume is looked at this often; by itself a minute would be waited for.
      syncFrequency: '2s',
      staticPodPath: place.manifests,
      fileCheckFrequency: '1s',
      // What volumes hold is counted this often.
      volumeStatsAggPeriod: '2s',
    }
    return withKubelet({ path, node: NODE, containerd, api, configuration }, ({ podLogs }) =>
      use({ ...place, containerd, podLogs }),
    )
  })
}
