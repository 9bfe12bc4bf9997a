import { mapAt, mapsAt, textAt } from '../objects/read.ts'
import type { JsonObject, KubeObject, ObjectStore } from '../objects/types.ts'
import type { Attributes, Verdict } from './attributes.ts'
import { type Rule, ruleAllows } from './rule.ts'
import { NODES, parseNodeUserName, type User } from './user.ts'

// The authorizer of Kubernetes that lets a node do what a kubelet has to, and read only what its pods
// refer to (plugin/pkg/auth/authorizer/node).

/** What {@link createNodeAuthorizer} works with. */
export interface NodeAuthorizerOptions {
  readonly store: Pick<ObjectStore, 'get' | 'list' | 'watch'>
  /**
   * Whether a node may have a secret that one of its pods refers to. Default: it may. Where nodes can
   * make pods, somebody has to know which references are not their own.
   */
  readonly mayReadSecret?: ((node: string, namespace: string, name: string) => boolean) | undefined
  /** Whether a node may have tokens of an account that one of its pods runs as. Default: it may. */
  readonly maySpeakFor?:
    | ((node: string, account: { readonly namespace: string; readonly name: string }) => boolean)
    | undefined
}

/** Says what nodes may, and nothing of others. */
export interface NodeAuthorizer {
  /** Whether a node may do something; a user that is no node may not, without a reason. */
  authorize(user: User, attributes: Attributes): Verdict
  /** Follows the store no longer. Idempotent. */
  close(): void
}

/** The name of the node that a user is; undefined for a user that is none. */
export function nodeOfUser({ name, groups }: User): string | undefined {
  return groups.includes(NODES) ? parseNodeUserName(name) : undefined
}

const rule = (verbs: string, apiGroups: readonly string[], resources: string): Rule => ({
  verbs: verbs.split(' '),
  apiGroups,
  resources: resources.split(' '),
  resourceNames: [],
  nonResourceURLs: [],
})

/** What every node may, whatever its pods refer to. */
const RULES: readonly Rule[] = [
  rule('create', ['authentication.k8s.io'], 'tokenreviews'),
  rule('create', ['authorization.k8s.io'], 'subjectaccessreviews localsubjectaccessreviews'),
  rule('get list watch', [''], 'services'),
  rule('create update patch', ['', 'events.k8s.io'], 'events'),
  rule('get', [''], 'endpoints'),
  rule('create get list watch', ['certificates.k8s.io'], 'certificatesigningrequests'),
  rule('get list watch', ['certificates.k8s.io'], 'clustertrustbundles'),
  rule('get list watch', ['storage.k8s.io'], 'csidrivers'),
  rule('get list watch', ['node.k8s.io'], 'runtimeclasses'),
]

const YES: Verdict = { allowed: true, reason: '' }
const no = (reason = ''): Verdict => ({ allowed: false, reason })

/** Decides for nodes by the pods that are bound to them, which it follows. */
export function createNodeAuthorizer(options: NodeAuthorizerOptions): NodeAuthorizer {
  const graph = new PodReferences(options.store)
  return {
    authorize: (user, attributes) => {
      const node = nodeOfUser(user)
      return node === undefined ? no() : decide({ ...options, graph, node }, attributes)
    },
    close: () => graph.close(),
  }
}

interface Question extends NodeAuthorizerOptions {
  readonly graph: PodReferences
  readonly node: string
}

function decide(question: Question, attributes: Attributes): Verdict {
  const { group, resource, subresource } = attributes
  switch (group === '' ? resource : `${resource}.${group}`) {
    case 'secrets':
    case 'configmaps':
      return readNamespaced(question, attributes)
    case 'persistentvolumeclaims':
      return subresource === 'status'
        ? updateStatus(question, attributes)
        : getOne(question, attributes)
    case 'persistentvolumes':
    case 'volumeattachments.storage.k8s.io':
      return getOne(question, attributes)
    case 'serviceaccounts':
      return account(question, attributes)
    case 'leases.coordination.k8s.io':
      return lease(question, attributes)
    case 'csinodes.storage.k8s.io':
      return csiNode(question, attributes)
    case 'nodes':
      return nodes(question, attributes)
    case 'pods':
      return pods(question, attributes)
    default:
      return RULES.some((item) => ruleAllows(item, attributes)) ? YES : no()
  }
}

function readNamespaced(question: Question, attributes: Attributes): Verdict {
  const { verb, subresource, namespace } = attributes
  if (!['get', 'list', 'watch'].includes(verb)) return no('can only read resources of this type')
  if (subresource !== '') return no('cannot read subresource')
  if (namespace === '') return no('can only read namespaced object of this type')
  return related(question, attributes)
}

function getOne(question: Question, attributes: Attributes): Verdict {
  if (attributes.verb !== 'get') return no('can only get individual resources of this type')
  if (attributes.subresource !== '') return no('cannot get subresource')
  return related(question, attributes)
}

function updateStatus(question: Question, attributes: Attributes): Verdict {
  if (!['update', 'patch'].includes(attributes.verb))
    return no('can only get/update/patch this type')
  return related(question, attributes)
}

function related(question: Question, attributes: Attributes): Verdict {
  if (attributes.name === '') return no('No Object name found')
  return isRelated(question, attributes) ? YES : no(unrelated(question))
}

function unrelated({ node }: Question): string {
  return `no relationship found between node '${node}' and this object`
}

function isRelated(question: Question, { resource, namespace, name }: Attributes): boolean {
  const { graph, node, store, mayReadSecret, maySpeakFor } = question
  switch (resource) {
    case 'pods':
      return textAt(store.get({ resource, namespace, name }), 'spec', 'nodeName') === node
    case 'volumeattachments':
      return isAttachedTo(store, name, node)
    case 'persistentvolumes':
      return graph.claims(node).some((key) => volumeOf(store, key) === name)
    case 'secrets':
      if (mayReadSecret?.(node, namespace, name) === false) return false
      return graph.has(node, `secrets/${namespace}/${name}`)
    case 'serviceaccounts':
      if (maySpeakFor?.(node, { namespace, name }) === false) return false
      return graph.has(node, `serviceaccounts/${namespace}/${name}`)
    default:
      return graph.has(node, `${resource}/${namespace}/${name}`)
  }
}

function isAttachedTo(store: Question['store'], name: string, node: string): boolean {
  const resource = 'volumeattachments.storage.k8s.io'
  return textAt(store.get({ resource, name }), 'spec', 'nodeName') === node
}

/** The volume that a claim, as `namespace/name`, is bound to. */
function volumeOf(store: Question['store'], claim: string): string | undefined {
  const [namespace = '', name = ''] = claim.split('/')
  const found = store.get({ resource: 'persistentvolumeclaims', namespace, name })
  return textAt(found, 'spec', 'volumeName')
}

function account(question: Question, attributes: Attributes): Verdict {
  const { verb, subresource, name } = attributes
  if (verb === 'get' && subresource === '') return readNamespaced(question, attributes)
  if (verb !== 'create' || name === '')
    return no('can only create tokens for individual service accounts')
  if (subresource !== 'token') return no('can only create token subresource of serviceaccount')
  return isRelated(question, attributes) ? YES : no(unrelated(question))
}

const OWN_VERBS: readonly string[] = ['get', 'create', 'update', 'patch', 'delete']

function lease({ node }: Question, { verb, namespace, name }: Attributes): Verdict {
  if (!OWN_VERBS.includes(verb))
    return no('can only get, create, update, patch, or delete a node lease')
  if (namespace !== 'kube-node-lease')
    return no('can only access leases in the "kube-node-lease" system namespace')
  if (verb !== 'create' && name !== node)
    return no('can only access node lease with the same name as the requesting node')
  return YES
}

function csiNode({ node }: Question, { verb, subresource, name }: Attributes): Verdict {
  if (!OWN_VERBS.includes(verb))
    return no('can only get, create, update, patch, or delete a CSINode')
  if (subresource !== '') return no('cannot authorize CSINode subresources')
  if (verb !== 'create' && name !== node)
    return no('can only access CSINode with the same name as the requesting node')
  return YES
}

function nodes({ node }: Question, { verb, subresource, name }: Attributes): Verdict {
  if (subresource === 'status') return ['update', 'patch'].includes(verb) ? YES : no()
  if (subresource !== '') return no()
  if (['create', 'update', 'patch'].includes(verb)) return YES
  if (!['get', 'list', 'watch'].includes(verb)) return no()
  if (name === node) return YES
  return name === ''
    ? no(`node '${node}' cannot read all nodes, only its own Node object`)
    : no(`node '${node}' cannot read '${name}', only its own Node object`)
}

function pods(question: Question, attributes: Attributes): Verdict {
  const { verb, subresource, name, fieldSelector = '' } = attributes
  if (subresource === 'status') return ['update', 'patch'].includes(verb) ? YES : no()
  if (subresource === 'eviction') return verb === 'create' ? YES : no()
  if (subresource !== '') return no()
  if (verb === 'create' || verb === 'delete') return YES
  if (verb === 'get') return getOne(question, attributes)
  if (verb !== 'list' && verb !== 'watch') return no()
  const own = `spec.nodeName=${question.node}`
  if (fieldSelector.split(',').some((part) => part.replace('==', '=') === own)) return YES
  if (name !== '') return related(question, attributes)
  return no('can only list/watch pods with spec.nodeName field selector')
}

/** What the pods of each node refer to, by node: kept up by watching pods. */
class PodReferences {
  /** By node, how many pods refer to each object, as `secrets/NAMESPACE/NAME`. */
  readonly #nodes = new Map<string, Map<string, number>>()
  readonly #cancel: () => void

  constructor(store: Pick<ObjectStore, 'list' | 'watch'>) {
    const { items, resourceVersion } = store.list('pods')
    for (const pod of items) this.#count(pod, 1)
    this.#cancel = store.watch('pods', { since: resourceVersion }, ({ type, object, previous }) => {
      if (previous !== undefined) this.#count(previous, -1)
      this.#count(object, type === 'DELETED' ? -1 : 1)
    })
  }

  has(node: string, reference: string): boolean {
    return this.#nodes.get(node)?.has(reference) === true
  }

  /** The claims of a node's pods, as `namespace/name`. */
  claims(node: string): readonly string[] {
    const prefix = 'persistentvolumeclaims/'
    return [...(this.#nodes.get(node)?.keys() ?? [])]
      .filter((reference) => reference.startsWith(prefix))
      .map((reference) => reference.slice(prefix.length))
  }

  close(): void {
    this.#cancel()
  }

  #count(pod: KubeObject, change: 1 | -1): void {
    const node = textAt(pod, 'spec', 'nodeName')
    if (node === undefined) return
    const counts = this.#nodes.get(node) ?? new Map<string, number>()
    this.#nodes.set(node, counts)
    for (const reference of referencesOf(pod)) {
      const count = (counts.get(reference) ?? 0) + change
      if (count > 0) counts.set(reference, count)
      else counts.delete(reference)
    }
    if (counts.size === 0) this.#nodes.delete(node)
  }
}

/** What a kubelet runs by itself refers to nothing. */
const MIRROR = 'kubernetes.io/config.mirror'

function referencesOf(pod: KubeObject): ReadonlySet<string> {
  const found = new Set<string>()
  if (pod.metadata.annotations?.[MIRROR] !== undefined) return found
  const { namespace = 'default', name } = pod.metadata
  const spec = mapAt(pod, 'spec') ?? {}
  const add = (resource: string, target: string | undefined): void => {
    if (target !== undefined) found.add(`${resource}/${namespace}/${target}`)
  }
  add('serviceaccounts', textAt(spec, 'serviceAccountName'))
  for (const item of mapsAt(spec, 'imagePullSecrets')) add('secrets', textAt(item, 'name'))
  for (const list of ['containers', 'initContainers', 'ephemeralContainers']) {
    for (const container of mapsAt(spec, list)) addContainer(container, add)
  }
  for (const volume of mapsAt(spec, 'volumes')) {
    add('secrets', textAt(volume, 'secret', 'secretName'))
    add('persistentvolumeclaims', textAt(volume, 'persistentVolumeClaim', 'claimName'))
    if (volume['ephemeral'] !== undefined)
      add('persistentvolumeclaims', `${name}-${textAt(volume, 'name') ?? ''}`)
    for (const kind of ['azureFile', 'csi', 'cephfs', 'flexVolume', 'iscsi', 'rbd', 'scaleIO']) {
      add('secrets', textAt(volume, kind, 'secretName'))
      add('secrets', textAt(volume, kind, 'secretRef', 'name'))
      add('secrets', textAt(volume, kind, 'nodePublishSecretRef', 'name'))
    }
    for (const source of [volume, ...mapsAt(volume, 'projected', 'sources')]) {
      add('configmaps', textAt(source, 'configMap', 'name'))
      add('secrets', textAt(source, 'secret', 'name'))
    }
  }
  return found
}

function addContainer(
  container: JsonObject,
  add: (resource: string, target: string | undefined) => void,
): void {
  for (const from of mapsAt(container, 'envFrom')) {
    add('configmaps', textAt(from, 'configMapRef', 'name'))
    add('secrets', textAt(from, 'secretRef', 'name'))
  }
  for (const variable of mapsAt(container, 'env')) {
    add('configmaps', textAt(variable, 'valueFrom', 'configMapKeyRef', 'name'))
    add('secrets', textAt(variable, 'valueFrom', 'secretKeyRef', 'name'))
  }
}
