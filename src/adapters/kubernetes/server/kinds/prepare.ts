import type { JsonObject, KubeObject, ObjectStore } from '../../objects/types.ts'
import { at, listAt, numberAt, objectAt, sameJson, textAt } from '../json.ts'
import { forbidden } from '../status.ts'
import { type Cause, forbiddenField } from './checks.ts'
import { withDefaults } from './filling.ts'
import { JOB_UID_LABEL } from './job-checks.ts'
import { SYSTEM_PRIORITIES } from './policy-checks.ts'
import { allocate } from './service-addresses.ts'
import { isReachedFromOutside } from './service-checks.ts'

// What the server makes of an object beside filling in defaults: what depends on other objects, on what
// the object was before, or on its uid.

/** What a preparation needs to know. */
export interface Preparation {
  readonly store: Pick<ObjectStore, 'get' | 'list'>
  /** Now, as metav1.Time writes it. */
  readonly now: string
}

/** An object that is prepared, and what was wrong with it. */
export interface Prepared {
  readonly object: KubeObject
  readonly causes: readonly Cause[]
}

/**
 * Prepares a new object, once its defaults are filled in.
 *
 * @throws StatusError 403 when it refers to a priority that is not there.
 */
export function prepareCreate(
  resource: string,
  object: KubeObject,
  preparation: Preparation,
): Prepared {
  if (resource === 'services') {
    const { service, causes } = allocate(object, undefined, servicesOf(preparation.store))
    return { object: service, causes }
  }
  return {
    object: CREATES[resource]?.(object, preparation) ?? object,
    causes: CREATE_CAUSES[resource]?.(object) ?? [],
  }
}

/** Prepares what an update makes of an object, once its defaults are filled in. */
export function prepareUpdate(
  resource: string,
  before: KubeObject,
  after: KubeObject,
  preparation: Preparation,
): Prepared {
  if (resource === 'services') {
    const released = withoutLost(before, after)
    const { service, causes } = allocate(released, before, servicesOf(preparation.store))
    return { object: service, causes }
  }
  return { object: UPDATES[resource]?.(before, after) ?? after, causes: [] }
}

/** What depends on the uid of a new object: the labels and the selector of a job. */
export function completeWithUid(resource: string, object: KubeObject, uid: string): KubeObject {
  return resource === 'jobs.batch' ? jobWithUid(object, uid) : object
}

/** The first status of a new object that tells when it was made. */
export function timedStatus(resource: string, status: JsonObject, now: string): JsonObject {
  return resource === 'persistentvolumes' ? { ...status, lastPhaseTransitionTime: now } : status
}

function servicesOf(store: Preparation['store']): () => readonly KubeObject[] {
  return () => store.list('services').items
}

/** What only some types of services have, and which. */
const OF_TYPES: Readonly<Record<string, (spec: JsonObject) => boolean>> = {
  externalTrafficPolicy: isReachedFromOutside,
  allocateLoadBalancerNodePorts: (spec) => spec['type'] === 'LoadBalancer',
  loadBalancerClass: (spec) => spec['type'] === 'LoadBalancer',
}

/** A service that changes its type loses what it had for the old one, unless it says it anew. */
function withoutLost(before: KubeObject, after: KubeObject): KubeObject {
  const spec: Record<string, JsonObject[string]> = { ...objectAt(after, 'spec') }
  for (const [key, isOfType] of Object.entries(OF_TYPES)) {
    const isLeft = sameJson(spec[key], at(before, 'spec', key))
    if (isLeft && spec[key] !== undefined && !isOfType(spec)) delete spec[key]
  }
  return { ...after, spec }
}

/** How long a pod stays on a node that is not ready or out of reach, in seconds. */
const TOLERATION_SECONDS = 300
const AWAY = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const

/** A pod stays for a while on a node that is away, unless it says what it bears itself. */
function withTolerations(spec: JsonObject): JsonObject {
  const tolerations = listAt(spec, 'tolerations')
  const bears = (key: string): boolean =>
    tolerations.some((item) => {
      const own = textAt(item, 'key')
      const effect = textAt(item, 'effect')
      return (own === key || own === '') && (effect === 'NoExecute' || effect === '')
    })
  const missing = AWAY.filter((key) => !bears(key)).map((key) => ({
    key,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: TOLERATION_SECONDS,
  }))
  return missing.length === 0 ? spec : { ...spec, tolerations: [...tolerations, ...missing] }
}

const PRIORITY_CLASSES = 'priorityclasses.scheduling.k8s.io'

/** The class that counts for a pod that names none: the one that says so, with the least value. */
function defaultClass(store: Preparation['store']): KubeObject | undefined {
  const all = store.list(PRIORITY_CLASSES).items.filter((item) => item['globalDefault'] === true)
  return [...all].sort((a, b) => (numberAt(a, 'value') ?? 0) - (numberAt(b, 'value') ?? 0))[0]
}

function withPriority(pod: KubeObject, { store }: Preparation): JsonObject {
  const spec = objectAt(pod, 'spec')
  const name = textAt(spec, 'priorityClassName')
  const found = name === '' ? defaultClass(store) : store.get({ resource: PRIORITY_CLASSES, name })
  const system = Object.hasOwn(SYSTEM_PRIORITIES, name) ? SYSTEM_PRIORITIES[name] : undefined
  if (name !== '' && found === undefined && system === undefined) {
    const kind = { plural: 'pods', group: '', kind: 'Pod' }
    throw forbidden(kind, pod.metadata.name, `no PriorityClass with name ${name} was found`)
  }
  const priority = system ?? numberAt(found, 'value') ?? 0
  const preemptionPolicy = textAt(found, 'preemptionPolicy') || 'PreemptLowerPriority'
  refuseOther(pod, 'integer value of priority', spec['priority'], priority)
  refuseOther(pod, 'string value of PreemptionPolicy', spec['preemptionPolicy'], preemptionPolicy)
  return {
    ...spec,
    ...(name === '' && found !== undefined ? { priorityClassName: found.metadata.name } : {}),
    priority,
    preemptionPolicy,
  }
}

/** What follows from the class of a pod may be said by the pod, but not otherwise. */
function refuseOther(
  pod: KubeObject,
  what: string,
  given: JsonObject[string],
  computed: number | string,
): void {
  if (given === undefined || given === '' || given === computed) return
  const kind = { plural: 'pods', group: '', kind: 'Pod' }
  throw forbidden(
    kind,
    pod.metadata.name,
    `the ${what} (${String(given)}) must not be provided in pod spec; priority admission controller computed ${computed} from the given PriorityClass name`,
  )
}

function preparePod(pod: KubeObject, preparation: Preparation): KubeObject {
  return { ...pod, spec: withTolerations(withPriority(pod, preparation)) }
}

/** What is in use is kept until nobody uses it any more. */
function withFinalizer(finalizer: string): (object: KubeObject) => KubeObject {
  return (object) => {
    const { metadata } = object
    const all = metadata.finalizers ?? []
    return all.includes(finalizer)
      ? object
      : { ...object, metadata: { ...metadata, finalizers: [...all, finalizer] } }
  }
}

const GENERATION = 'deprecated.daemonset.template.generation'

function withTemplateGeneration(set: KubeObject, generation: number): KubeObject {
  const annotations = { ...set.metadata.annotations, [GENERATION]: String(generation) }
  return { ...set, metadata: { ...set.metadata, annotations } }
}

function daemonSetUpdate(before: KubeObject, after: KubeObject): KubeObject {
  const was = Number(before.metadata.annotations?.[GENERATION] ?? 0)
  const isSame = sameJson(at(before, 'spec', 'template'), at(after, 'spec', 'template'))
  return withTemplateGeneration(after, isSame ? was : was + 1)
}

/** A uid to check a job with before it has one. */
const NO_UID = '00000000-0000-0000-0000-000000000000'

/** The pods of a job carry its uid and its name, unless it selects them itself. */
function jobWithUid(job: KubeObject, uid: string): KubeObject {
  const spec = objectAt(job, 'spec')
  if (spec['manualSelector'] === true) return job
  const name = job.metadata.name
  const own: JsonObject = {
    'controller-uid': uid,
    'job-name': name,
    [JOB_UID_LABEL]: uid,
    'batch.kubernetes.io/job-name': name,
  }
  const template = objectAt(spec, 'template')
  const metadata = objectAt(template, 'metadata')
  const given = objectAt(metadata, 'labels')
  const labels = { ...withDefaults(given, own), ...(given[JOB_UID_LABEL] === NO_UID ? own : {}) }
  const isOwn = sameJson(job.metadata.labels, metadata['labels'])
  const selector = objectAt(spec, 'selector')
  const matchLabels = { ...objectAt(selector, 'matchLabels'), [JOB_UID_LABEL]: uid }
  return {
    ...job,
    metadata: isOwn ? { ...job.metadata, labels: labels as Record<string, string> } : job.metadata,
    spec: {
      ...spec,
      selector: { ...selector, matchLabels },
      template: { ...template, metadata: { ...metadata, labels } },
    },
  }
}

const CREATES: Readonly<
  Record<string, (object: KubeObject, preparation: Preparation) => KubeObject>
> = {
  pods: preparePod,
  persistentvolumes: withFinalizer('kubernetes.io/pv-protection'),
  persistentvolumeclaims: withFinalizer('kubernetes.io/pvc-protection'),
  'daemonsets.apps': (set) => withTemplateGeneration(set, 1),
  'jobs.batch': (job) => jobWithUid(job, NO_UID),
  'volumeattributesclasses.storage.k8s.io': withFinalizer('kubernetes.io/vac-protection'),
}

/** What new objects may not have. */
const CREATE_CAUSES: Readonly<Record<string, (object: KubeObject) => readonly Cause[]>> = {
  pods: (pod) =>
    listAt(pod, 'spec', 'ephemeralContainers').length === 0
      ? []
      : [forbiddenField('spec.ephemeralContainers', 'cannot be set on create')],
}

const UPDATES: Readonly<Record<string, (before: KubeObject, after: KubeObject) => KubeObject>> = {
  'daemonsets.apps': daemonSetUpdate,
}
