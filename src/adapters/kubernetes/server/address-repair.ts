import type { Clock, Logger, Random } from '../../../core/index.ts'
import { createReconciler } from '../../reconciler/index.ts'
import {
  type Json,
  type JsonObject,
  type KubeObject,
  ObjectError,
  type ObjectKey,
  type ObjectStore,
} from '../objects/types.ts'
import { nowText } from './context.ts'
import { listAt, numberAt, objectAt, textAt } from './json.ts'
import { allocate } from './kinds/service-addresses.ts'

/** What {@link createAddressRepair} works on. */
export interface AddressRepairOptions {
  /** Where all services are. */
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** What runs until it is closed. */
export interface AddressRepair {
  /** Stops looking and waits for what is under way. Idempotent. */
  close(): Promise<void>
}

const SERVICES = 'services'
const AUTHOR = 'service-address-repair'
const EVENT_NAME_BYTES = 8

/**
 * Gives every service an address and node ports of its own. Replicas that are apart draw them apart, so two
 * services may come together that have the same: the older keeps it, the younger is given another, and an
 * event of it says so. To be run at one place, where all services are.
 */
export function createAddressRepair(options: AddressRepairOptions): AddressRepair {
  const { store } = options
  const owners = new Map<string, Set<string>>()
  const reconciler = createReconciler({
    ...options,
    // One at a time: what one is given is taken for the next.
    parallelMax: 1,
    reconcile: async (place) => {
      const keys = [...(owners.get(place) ?? [])]
      const services = keys
        .map((key) => store.get(keyOf(key)))
        .filter((found) => found !== undefined)
      const [first, ...rest] = services
        .filter((one) => placesOf(one).includes(place))
        .sort(olderFirst)
      for (const service of rest) if (first !== undefined) await moveAway(options, service, first)
      return undefined
    },
  })
  const take = (service: KubeObject): void => {
    for (const place of placesOf(service)) {
      const all = owners.get(place) ?? new Set()
      owners.set(place, all.add(nameOf(service)))
      if (all.size > 1) reconciler.hint(place)
    }
  }
  const leave = (service: KubeObject): void => {
    for (const place of placesOf(service)) {
      const all = owners.get(place)
      all?.delete(nameOf(service))
      if (all?.size === 0) owners.delete(place)
    }
  }
  const cancel = store.watch(SERVICES, {}, ({ type, object, previous }) => {
    if (previous !== undefined) leave(previous)
    if (type === 'DELETED') leave(object)
    else take(object)
  })
  for (const service of store.list(SERVICES).items) take(service)
  return {
    close: async () => {
      cancel()
      await reconciler.close()
    },
  }
}

function nameOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}

function keyOf(text: string): ObjectKey {
  const [namespace = '', name = ''] = text.split('/')
  return { resource: SERVICES, namespace, name }
}

const addressPlace = (address: string): string => `address ${address}`
const portPlace = (port: number): string => `port ${port}`

/** What no other service may have. */
function placesOf(service: KubeObject): readonly string[] {
  const spec = objectAt(service, 'spec')
  const address = textAt(spec, 'clusterIP')
  const ports = [...listAt(spec, 'ports').map(nodePortOf), numberAt(spec, 'healthCheckNodePort')]
  const taken = ports.filter((port) => port !== undefined && port !== 0)
  return [
    ...(address === '' || address === 'None' ? [] : [addressPlace(address)]),
    ...new Set(taken.map((port) => portPlace(port ?? 0))),
  ]
}

function nodePortOf(port: Json): number | undefined {
  return numberAt(port, 'nodePort')
}

/** The same order on every replica. */
function olderFirst(a: KubeObject, b: KubeObject): number {
  const ageOf = ({ metadata }: KubeObject): string =>
    `${metadata.creationTimestamp ?? ''} ${metadata.uid ?? ''}`
  return ageOf(a) < ageOf(b) ? -1 : 1
}

/** A service without what another one has. */
function without(service: KubeObject, taken: ReadonlySet<string>): KubeObject {
  const { clusterIP, clusterIPs, healthCheckNodePort, ...spec } = objectAt(service, 'spec')
  const isFree = !taken.has(addressPlace(String(clusterIP)))
  const isPortFree = (port: number | undefined): boolean =>
    port === undefined || !taken.has(portPlace(port))
  const ports = listAt(service, 'spec', 'ports').map((port): Json => {
    if (isPortFree(nodePortOf(port))) return port
    const { nodePort: _, ...rest } = objectAt({ port }, 'port')
    return rest
  })
  const health = isPortFree(numberAt(service, 'spec', 'healthCheckNodePort'))
  return {
    ...service,
    spec: {
      ...spec,
      ...(isFree ? { clusterIP, clusterIPs } : {}),
      ...(health && healthCheckNodePort !== undefined ? { healthCheckNodePort } : {}),
      ...(spec['ports'] === undefined ? {} : { ports }),
    } as JsonObject,
  }
}

async function moveAway(
  options: AddressRepairOptions,
  service: KubeObject,
  older: KubeObject,
): Promise<void> {
  const { store, logger } = options
  const taken = new Set(placesOf(older))
  const all = (): readonly KubeObject[] => store.list(SERVICES).items
  const { namespace, name, uid } = service.metadata
  try {
    const moved = await store.update(
      { resource: SERVICES, namespace, name },
      (current) => allocate(without(current, taken), undefined, all).service,
      { part: 'desired', uid, author: AUTHOR },
    )
    const left = placesOf(service).filter((place) => taken.has(place))
    logger.warn('a service had an address of another', {
      namespace,
      name,
      older: nameOf(older),
      places: left.join(', '),
    })
    await tell(options, moved, older, left)
  } catch (error) {
    // Gone or made anew meanwhile: then there is an event of it, and another look.
    if (!(error instanceof ObjectError) || !/^(?:NotFound|Conflict)$/.test(error.reason))
      throw error
  }
}

/** Says in an event of a service what it lost, to whom, and what it has instead. */
async function tell(
  { store, clock, random }: AddressRepairOptions,
  service: KubeObject,
  older: KubeObject,
  left: readonly string[],
): Promise<void> {
  const { namespace = '', name, uid, resourceVersion } = service.metadata
  const id = new Uint8Array(EVENT_NAME_BYTES)
  random.fill(id)
  const now = nowText(clock)
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${Buffer.from(id).toString('hex')}`, namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Service', namespace, name, uid, resourceVersion },
    reason: 'AddressReassigned',
    message: `${left.join(', ')} belonged to service ${nameOf(older)} too, which is older; has now ${placesOf(service).join(', ')}`,
    type: 'Warning',
    source: { component: AUTHOR },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
    eventTime: null,
    reportingComponent: AUTHOR,
    reportingInstance: '',
  }
  await store.create(event as unknown as KubeObject, { author: AUTHOR })
}
