import type { JsonObject, KubeObject } from '../../kubernetes/objects/types.ts'
import { asNumber, asObject, asObjects, asText } from '../json.ts'

interface HostPort {
  readonly port: number
  readonly protocol: string
  readonly address: string
}

/** All addresses of the machine. */
const ANY = '0.0.0.0'

/**
 * Whether a pod asks for a port of the machine that another one has, with the same protocol, at the
 * same address. A port at all addresses stands in the way of every other.
 */
export function sharesHostPort(pod: KubeObject, others: readonly KubeObject[]): boolean {
  const wanted = portsOf(pod)
  if (wanted.length === 0) return false
  const taken = others.flatMap(portsOf)
  return wanted.some((a) => taken.some((b) => isSame(a, b)))
}

function isSame(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.protocol !== b.protocol) return false
  return a.address === b.address || a.address === ANY || b.address === ANY
}

/** Init containers that end have their ports for a while only: they do not count. */
function portsOf(pod: KubeObject): readonly HostPort[] {
  const spec = asObject(pod['spec'])
  const sidecars = asObjects(spec['initContainers']).filter(
    ({ restartPolicy }) => restartPolicy === 'Always',
  )
  return [...asObjects(spec['containers']), ...sidecars].flatMap((container) =>
    asObjects(container['ports']).flatMap(hostPort),
  )
}

function hostPort(json: JsonObject): readonly HostPort[] {
  const port = asNumber(json['hostPort']) ?? 0
  if (port <= 0) return []
  const protocol = asText(json['protocol']) || 'TCP'
  const address = asText(json['hostIP']) || ANY
  return [{ port, protocol, address: address === '::' ? ANY : address }]
}
