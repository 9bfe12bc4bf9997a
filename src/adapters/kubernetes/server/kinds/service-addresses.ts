import { createHash } from 'node:crypto'
import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { at, listAt, numberAt, objectAt, textAt } from '../json.ts'
import { type Cause, invalidValue } from './checks.ts'
import { needsHealthCheck } from './service-checks.ts'

// Which address in the cluster and which ports of nodes a service gets. There is no counter that all
// replicas share: the address follows from the name of the service, so each replica comes to the same
// one while apart. Where another service here has it already, the next free one is taken. Two services
// that were made on two sides while apart may so get one address; the range is wide, so it is rare, and
// the younger one is given another when they come together (address-repair.ts).

/** The range of cluster addresses, 10.96.0.0/12, as a number and a count. The first is the API's own. */
const RANGE_START = (10 << 24) | (96 << 16)
const RANGE_ADDRESSES = 1 << 20
const RESERVED_ADDRESSES = 10

/** The ports that services get on every node. */
const NODE_PORT_MIN = 30_000
const NODE_PORT_MAX = 32_767

/** The services that there are, to see what is taken. */
export type Services = () => readonly KubeObject[]

/** A service with its addresses and ports, and what was wrong with those that it asked for. */
export interface Allocated {
  readonly service: KubeObject
  readonly causes: readonly Cause[]
}

/**
 * Gives a service the addresses and ports that its type has, and takes away those that it has not.
 *
 * @param before the service as it was, undefined for a new one.
 */
export function allocate(
  service: KubeObject,
  before: KubeObject | undefined,
  all: Services,
): Allocated {
  const spec = objectAt(service, 'spec')
  if (textAt(spec, 'type') === 'ExternalName') {
    const { clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy, ...rest } = spec
    const isKept = before === undefined
    return { service: isKept ? service : { ...service, spec: rest }, causes: [] }
  }
  const others = lazily(() =>
    all()
      .filter((other) => keyOf(other) !== keyOf(service))
      .map((other) => objectAt(other, 'spec')),
  )
  const addressed = withAddress(spec, objectAt(before, 'spec'), keyOf(service), others)
  const ported = withPorts(addressed.spec, objectAt(before, 'spec'), keyOf(service), others)
  const causes = [...addressed.causes, ...ported.causes]
  return { service: { ...service, spec: ported.spec }, causes }
}

interface Step {
  readonly spec: JsonObject
  readonly causes: readonly Cause[]
}

function keyOf(service: KubeObject): string {
  return `${service.metadata.namespace ?? ''}/${service.metadata.name}`
}

function lazily<T>(read: () => T): () => T {
  let value: { readonly found: T } | undefined
  return () => {
    value ??= { found: read() }
    return value.found
  }
}

/** A number below `count` that follows from a text. */
function spread(text: string, count: number): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) % count
}

function addressText(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join('.')
}

function isInRange(address: string): boolean {
  const parts = address.split('.').map(Number)
  const number = parts.reduce((sum, part) => sum * 256 + part, 0) - RANGE_START
  return parts.length === 4 && number > 0 && number < RANGE_ADDRESSES - 1
}

function withAddress(
  spec: JsonObject,
  before: JsonObject,
  key: string,
  others: () => readonly JsonObject[],
): Step {
  const kept = textAt(before, 'clusterIP')
  const asked = textAt(spec, 'clusterIP') || String(listAt(spec, 'clusterIPs')[0] ?? '')
  const wanted = asked === '' ? kept : asked
  if (wanted === 'None' || (wanted !== '' && wanted === kept))
    return { spec: { ...spec, clusterIP: wanted, clusterIPs: [wanted] }, causes: [] }
  const taken = lazily(() => new Set(others().map((other) => textAt(other, 'clusterIP'))))
  if (wanted !== '') {
    const why = !isInRange(wanted)
      ? 'the provided network does not match the current range'
      : taken().has(wanted)
        ? 'provided IP is already allocated'
        : undefined
    const text = `failed to allocate IP ${wanted}: ${why}`
    return {
      spec: { ...spec, clusterIP: wanted, clusterIPs: [wanted] },
      causes: why === undefined ? [] : [invalidValue('spec.clusterIPs', [wanted], text)],
    }
  }
  const free = RANGE_ADDRESSES - RESERVED_ADDRESSES - 1
  const first = spread(key, free)
  for (let step = 0; step < free; step++) {
    const number = RANGE_START + RESERVED_ADDRESSES + ((first + step) % free)
    const address = addressText(number)
    if (!taken().has(address))
      return { spec: { ...spec, clusterIP: address, clusterIPs: [address] }, causes: [] }
  }
  return { spec, causes: [invalidValue('spec.clusterIPs', [], 'range is full')] }
}

/** The ports on nodes that a service has, that of its health check too. */
function nodePortsOf(spec: JsonObject): readonly number[] {
  const ports = listAt(spec, 'ports').map((port) => numberAt(port, 'nodePort') ?? 0)
  return [...ports, numberAt(spec, 'healthCheckNodePort') ?? 0].filter((port) => port !== 0)
}

function withPorts(
  spec: JsonObject,
  before: JsonObject,
  key: string,
  others: () => readonly JsonObject[],
): Step {
  const type = textAt(spec, 'type')
  const isOutside =
    type === 'NodePort' ||
    (type === 'LoadBalancer' && spec['allocateLoadBalancerNodePorts'] !== false)
  const old = new Set(nodePortsOf(before))
  const taken = lazily(() => new Set(others().flatMap(nodePortsOf)))
  const mine = new Set(nodePortsOf(spec))
  const causes: Cause[] = []
  const pick = (what: string): number => {
    const count = NODE_PORT_MAX - NODE_PORT_MIN + 1
    const first = spread(`${key}/${what}`, count)
    for (let step = 0; step < count; step++) {
      const port = NODE_PORT_MIN + ((first + step) % count)
      if (taken().has(port) || mine.has(port)) continue
      mine.add(port)
      return port
    }
    return 0
  }
  const check = (place: string, port: number): void => {
    if (old.has(port)) return
    const range = `${NODE_PORT_MIN}-${NODE_PORT_MAX}`
    if (port < NODE_PORT_MIN || port > NODE_PORT_MAX) {
      const text = `provided port is not in the valid range. The range of valid ports is ${range}`
      causes.push(invalidValue(place, port, text))
    } else if (taken().has(port)) {
      causes.push(invalidValue(place, port, 'provided port is already allocated'))
    }
  }
  const ports = listAt(spec, 'ports').map((port, index): Json => {
    const given = numberAt(port, 'nodePort') ?? 0
    if (type !== 'ClusterIP' && given !== 0) check(`spec.ports[${index}].nodePort`, given)
    if (given !== 0 || !isOutside) return releasedPort(port, type, old)
    const was = listAt(before, 'ports').find((other) => sameIdentity(port, other))
    const kept = numberAt(was, 'nodePort') ?? 0
    const nodePort = kept !== 0 && !mine.has(kept) ? kept : pick(portKey(port))
    mine.add(nodePort)
    return { ...objectAt({ port }, 'port'), nodePort }
  })
  const ported = spec['ports'] === undefined ? spec : { ...spec, ports }
  return { spec: withHealthCheck(ported, before, pick), causes }
}

/** A port without that of the nodes, where it had got one before its service lost its type. */
function releasedPort(port: Json, type: string, old: ReadonlySet<number>): Json {
  const found = objectAt({ port }, 'port')
  if (type !== 'ClusterIP' || !old.has(numberAt(found, 'nodePort') ?? 0)) return port
  const { nodePort: _, ...rest } = found
  return rest
}

const portKey = (port: Json): string => `${textAt(port, 'protocol')}/${numberAt(port, 'port') ?? 0}`

function sameIdentity(a: Json, b: Json): boolean {
  return (
    portKey(a) === portKey(b) ||
    (textAt(a, 'name') !== '' && textAt(a, 'name') === textAt(b, 'name'))
  )
}

function withHealthCheck(
  spec: JsonObject,
  before: JsonObject,
  pick: (what: string) => number,
): JsonObject {
  const { healthCheckNodePort: given, ...rest } = spec
  if (!needsHealthCheck(spec)) {
    const isLeft = given !== undefined && given === at(before, 'healthCheckNodePort')
    return isLeft ? rest : spec
  }
  const kept = numberAt(spec, 'healthCheckNodePort') ?? numberAt(before, 'healthCheckNodePort') ?? 0
  return { ...rest, healthCheckNodePort: kept === 0 ? pick('health') : kept }
}
