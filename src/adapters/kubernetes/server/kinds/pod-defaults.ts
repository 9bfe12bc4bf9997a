import { quantityNano } from '../../objects/quantity.ts'
import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt, textAt } from '../json.ts'
import {
  eachOf,
  type Fill,
  fills,
  inside,
  mapItems,
  values,
  where,
  withDefaults,
} from './filling.ts'
import { pullPolicyOf } from './image-policy.ts'
import { podLevelDefaults } from './pod-level-resources.ts'
import { fieldRefDefaults, resourceRefDefaults, volumeDefaults } from './volume-defaults.ts'

const httpDefaults: Fill = inside('httpGet', values({ path: '/', scheme: 'HTTP' }))

const probeDefaults: Fill = fills(
  values({ timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 }),
  httpDefaults,
  inside('grpc', values({ service: '' })),
)

const containerDefaults: Fill = fills(
  (container) =>
    withDefaults(container, {
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      imagePullPolicy: pullPolicyOf(textAt(container, 'image')),
      resources: {},
    }),
  eachOf('ports', values({ protocol: 'TCP' })),
  ...['livenessProbe', 'readinessProbe', 'startupProbe'].map((probe) =>
    inside(probe, probeDefaults),
  ),
  inside('lifecycle', inside('postStart', httpDefaults), inside('preStop', httpDefaults)),
  eachOf('env', inside('valueFrom', fieldRefDefaults, resourceRefDefaults)),
)

const MIRROR = 'kubernetes.io/config.mirror'

const CONTAINER_LISTS = ['containers', 'initContainers', 'ephemeralContainers'] as const

/** The two names of the field for a service account say the same. */
const accountDefaults: Fill = (spec) => {
  const account = textAt(spec, 'serviceAccountName') || textAt(spec, 'serviceAccount')
  const isSame = spec['serviceAccountName'] === account && spec['serviceAccount'] === account
  if (account === '' || isSame) return spec
  return { ...spec, serviceAccountName: account, serviceAccount: account }
}

/** What a pod spec, also one in a template, gets where it says nothing. */
export const podSpecDefaults: Fill = fills(
  values({
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 30,
    schedulerName: 'default-scheduler',
    securityContext: {},
  }),
  accountDefaults,
  ...CONTAINER_LISTS.map((list) => eachOf(list, containerDefaults)),
  eachOf('volumes', volumeDefaults),
)

/** Whoever limits an amount and does not ask for one asks for the limit. */
const requestDefaults: Fill = inside('resources', (resources) => {
  const limits = resources['limits']
  if (!isObject(limits)) return resources
  const { requests = {} } = resources
  const completed = withDefaults(isObject(requests) ? requests : {}, limits)
  return completed === resources['requests'] ? resources : { ...resources, requests: completed }
})

/** On the network of the machine a port of a container is one of the machine. */
const hostPortDefaults: Fill = where(
  (spec) => spec['hostNetwork'] === true,
  ...['containers', 'initContainers'].map((list) =>
    eachOf(
      list,
      eachOf('ports', (port) => withDefaults(port, { hostPort: port['containerPort'] })),
    ),
  ),
)

/** What a pod gets where it says nothing. Other than a template, it is about to run. */
export function podDefaults(pod: KubeObject): KubeObject {
  // What a kubelet runs by itself has no account.
  const isMirror = pod.metadata.annotations?.[MIRROR] !== undefined
  const named = withDefaults(objectAt(pod, 'spec'), {
    enableServiceLinks: true,
    ...(isMirror ? {} : { serviceAccountName: textAt(pod, 'spec', 'serviceAccount') || 'default' }),
  })
  const asked = ['containers', 'initContainers'].reduce(
    (spec: JsonObject, list) => mapItems(spec, list, requestDefaults),
    podSpecDefaults(named),
  )
  return { ...pod, spec: hostPortDefaults(podLevelDefaults(asked)) }
}

/** The quality of service that the requests and limits of a pod amount to. */
export function qosClass(pod: JsonObject): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  // What is said of all of the pod counts instead of what is said of its containers.
  const containers = isObject(at(pod, 'spec', 'resources'))
    ? [objectAt(pod, 'spec')]
    : [...listAt(pod, 'spec', 'containers'), ...listAt(pod, 'spec', 'initContainers')]
  const isPositive = (value: Json | undefined): boolean =>
    (typeof value === 'string' ? (quantityNano(value) ?? 0n) : 0n) > 0n
  let hasAny = false
  let isGuaranteed = containers.length > 0
  for (const container of containers) {
    for (const name of ['cpu', 'memory']) {
      const request = at(container, 'resources', 'requests', name)
      const limit = at(container, 'resources', 'limits', name)
      hasAny ||= isPositive(request) || isPositive(limit)
      isGuaranteed &&= isPositive(limit) && (request === undefined || request === limit)
    }
  }
  return !hasAny ? 'BestEffort' : isGuaranteed ? 'Guaranteed' : 'Burstable'
}
