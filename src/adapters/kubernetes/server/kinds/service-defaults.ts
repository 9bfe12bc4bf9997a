import type { JsonObject } from '../../objects/types.ts'
import { at, listAt, textAt } from '../json.ts'
import { always, eachOf, type Fill, fills, values, where, withDefaults } from './filling.ts'
import { isReachedFromOutside } from './service-checks.ts'

// What a service gets where it says nothing, but for its address and the ports of nodes.

/** How long a client stays with one pod, in seconds. */
const AFFINITY_SECONDS = 10_800

const affinity: Fill = (spec) => {
  const { sessionAffinityConfig: config, ...rest } = spec
  if (spec['sessionAffinity'] === 'None') return rest
  return spec['sessionAffinity'] === 'ClientIP' &&
    at(config, 'clientIP', 'timeoutSeconds') === undefined
    ? { ...rest, sessionAffinityConfig: { clientIP: { timeoutSeconds: AFFINITY_SECONDS } } }
    : spec
}

const port: Fill = (given) => {
  const target = given['targetPort']
  const isSaid = target !== undefined && target !== 0 && target !== ''
  const said = isSaid ? given : { ...given, targetPort: given['port'] }
  return withDefaults(said, { protocol: 'TCP' })
}

const isType = (type: string) => (spec: JsonObject) => spec['type'] === type

/** The families of addresses: only one is given out. */
const families: Fill = where(
  (spec) => spec['type'] !== 'ExternalName',
  (spec) => {
    const isHeadless = spec['clusterIP'] === 'None' || listAt(spec, 'clusterIPs')[0] === 'None'
    const isSelected = Object.keys((spec['selector'] ?? {}) as JsonObject).length > 0
    const policy = textAt(spec, 'ipFamilyPolicy')
    // Without a selector its endpoints are made by somebody else, of whatever family.
    if (isHeadless && !isSelected && policy === '' && listAt(spec, 'ipFamilies').length === 0)
      return withDefaults(spec, {
        ipFamilies: ['IPv4', 'IPv6'],
        ipFamilyPolicy: 'RequireDualStack',
      })
    return withDefaults(spec, { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' })
  },
)

/** What a service gets where it says nothing. */
export const SERVICE_DEFAULTS: Fill = always(
  'spec',
  values({ type: 'ClusterIP', sessionAffinity: 'None' }),
  affinity,
  eachOf('ports', port),
  where(isReachedFromOutside, values({ externalTrafficPolicy: 'Cluster' })),
  where((spec) => spec['type'] !== 'ExternalName', values({ internalTrafficPolicy: 'Cluster' })),
  where(isType('LoadBalancer'), values({ allocateLoadBalancerNodePorts: true })),
  fills(families),
)
