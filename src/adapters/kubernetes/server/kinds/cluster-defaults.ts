import type { JsonObject } from '../../objects/types.ts'
import { listAt, objectAt, textAt } from '../json.ts'
import { always, eachOf, type Fill, fills, inside, values, where, withDefaults } from './filling.ts'
import { claimSpecDefaults, sourceDefaults } from './volume-defaults.ts'

// What the kinds beside workloads and services get where they say nothing.

const RBAC_GROUP = 'rbac.authorization.k8s.io'

/** A limit for containers fills in for what is not said: the greatest, then the least. */
const limitDefaults: Fill = where(
  (limit) => limit['type'] === 'Container',
  (limit) => {
    const whole = withDefaults(objectAt(limit, 'default'), objectAt(limit, 'max'))
    const asked = withDefaults(
      withDefaults(objectAt(limit, 'defaultRequest'), whole),
      objectAt(limit, 'min'),
    )
    const isThere = (map: JsonObject): boolean => Object.keys(map).length > 0
    return {
      ...limit,
      ...(isThere(whole) ? { default: whole } : {}),
      ...(isThere(asked) ? { defaultRequest: asked } : {}),
    }
  },
)

/** The two fields for the addresses of the pods of a node say the same. */
const nodeRanges: Fill = inside('spec', (spec) => {
  const one = textAt(spec, 'podCIDR')
  const all = listAt(spec, 'podCIDRs')
  if (one !== '' && all.length === 0) return { ...spec, podCIDRs: [one] }
  return one === '' && all[0] !== undefined ? { ...spec, podCIDR: all[0] } : spec
})

const SCALE_UP = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
}
const SCALE_DOWN = {
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
}
const CPU_TARGET = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
}

const autoscaler: Fill = always(
  'spec',
  values({ minReplicas: 1 }),
  where(
    (spec) => listAt(spec, 'metrics').length === 0,
    (spec) => ({ ...spec, metrics: [CPU_TARGET] }),
  ),
  inside('behavior', always('scaleUp', values(SCALE_UP)), always('scaleDown', values(SCALE_DOWN))),
)

const policyTypes: Fill = (spec) => {
  if (listAt(spec, 'policyTypes').length > 0) return spec
  const hasEgress = listAt(spec, 'egress').length > 0
  return { ...spec, policyTypes: hasEgress ? ['Ingress', 'Egress'] : ['Ingress'] }
}

const policyRule: Fill = eachOf('ports', values({ protocol: 'TCP' }))

const binding: Fill = fills(
  inside('roleRef', values({ apiGroup: RBAC_GROUP })),
  eachOf(
    'subjects',
    where(
      (subject) => subject['kind'] === 'User' || subject['kind'] === 'Group',
      values({ apiGroup: RBAC_GROUP }),
    ),
  ),
)

const driver: Fill = always(
  'spec',
  values({
    attachRequired: true,
    podInfoOnMount: false,
    storageCapacity: false,
    fsGroupPolicy: 'ReadWriteOnceWithFSType',
    requiresRepublish: false,
    seLinuxMount: false,
  }),
  (spec) =>
    listAt(spec, 'volumeLifecycleModes').length > 0
      ? spec
      : { ...spec, volumeLifecycleModes: ['Persistent'] },
)

const WEBHOOK = [
  values({ failurePolicy: 'Fail', matchPolicy: 'Equivalent', timeoutSeconds: 10 }),
  always('namespaceSelector'),
  always('objectSelector'),
  eachOf('rules', values({ scope: '*' })),
  inside('clientConfig', inside('service', values({ port: 443 }))),
]

const MATCHED = [
  values({ matchPolicy: 'Equivalent' }),
  always('namespaceSelector'),
  always('objectSelector'),
  eachOf('resourceRules', values({ scope: '*' })),
  eachOf('excludeResourceRules', values({ scope: '*' })),
]

const admissionPolicy = always(
  'spec',
  values({ failurePolicy: 'Fail' }),
  inside('matchConstraints', ...MATCHED),
)

const policyBinding = inside('spec', inside('matchResources', ...MATCHED))

/** What these kinds get where they say nothing, by resource id. */
export const CLUSTER_DEFAULTS: Readonly<Record<string, Fill>> = {
  endpoints: eachOf('subsets', eachOf('ports', values({ protocol: 'TCP' }))),
  resourcequotas: always('spec'),
  limitranges: always('spec', eachOf('limits', limitDefaults)),
  nodes: nodeRanges,
  persistentvolumes: inside(
    'spec',
    values({ persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' }),
    sourceDefaults,
  ),
  persistentvolumeclaims: inside('spec', claimSpecDefaults),
  'horizontalpodautoscalers.autoscaling': autoscaler,
  'endpointslices.discovery.k8s.io': fills(
    eachOf('ports', values({ name: '', protocol: 'TCP' })),
    eachOf('endpoints', always('conditions')),
  ),
  'ingressclasses.networking.k8s.io': inside(
    'spec',
    inside('parameters', values({ scope: 'Cluster' })),
  ),
  'leases.coordination.k8s.io': always('spec'),
  'poddisruptionbudgets.policy': always('spec'),
  'deviceclasses.resource.k8s.io': always('spec'),
  'resourceclaimtemplates.resource.k8s.io': always('spec', always('metadata')),
  'networkpolicies.networking.k8s.io': always(
    'spec',
    always('podSelector'),
    eachOf('ingress', policyRule),
    eachOf('egress', policyRule),
    policyTypes,
  ),
  [`rolebindings.${RBAC_GROUP}`]: binding,
  [`clusterrolebindings.${RBAC_GROUP}`]: binding,
  'priorityclasses.scheduling.k8s.io': values({
    preemptionPolicy: 'PreemptLowerPriority',
    value: 0,
  }),
  'csidrivers.storage.k8s.io': driver,
  'validatingadmissionpolicies.admissionregistration.k8s.io': admissionPolicy,
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': policyBinding,
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': eachOf(
    'webhooks',
    ...WEBHOOK,
    values({ reinvocationPolicy: 'Never' }),
  ),
  'validatingwebhookconfigurations.admissionregistration.k8s.io': eachOf('webhooks', ...WEBHOOK),
  'storageclasses.storage.k8s.io': values({
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'Immediate',
  }),
}
