import type { Json, JsonObject, KubeObject } from '../objects/types.ts'
import type { ObjectBody } from './body.ts'
import { keyOf, nowText, type RequestContext } from './context.ts'
import { at, isObject, listAt, objectAt, textAt } from './json.ts'
import { badRequest, forbidden, notFound, StatusError, unexpected } from './status.ts'

/**
 * Binds a pod to a node: what a scheduler does (POST pods/NAME/binding). The labels and annotations of
 * the binding go to the pod.
 *
 * @throws StatusError: 409 for a pod that has a node, is being deleted or waits for a gate, 400, 403, 404,
 * 500 for a binding to no node.
 */
export async function bindPod(
  context: RequestContext,
  name: string,
  body: ObjectBody,
): Promise<void> {
  const given = textAt(body.value, 'metadata', 'name')
  if (given !== '' && given !== name)
    throw badRequest('name in URL does not match name in Binding object')
  const node = textAt(body.value, 'target', 'name')
  if (node === '') throw unexpected('target.name: Required value')
  const kind = textAt(body.value, 'target', 'kind')
  if (kind !== '' && kind !== 'Node')
    throw unexpected(
      `target.kind: Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`,
    )
  const { store, served, options } = context
  const key = keyOf(context, name)
  const bind = (pod: KubeObject): KubeObject => {
    const unfit = whyNot(pod)
    if (unfit !== undefined) {
      throw new StatusError(
        'Conflict',
        `Operation cannot be fulfilled on pods/binding "${name}": pod ${name} ${unfit}`,
        { name, kind: 'pods/binding' },
      )
    }
    const bound = boundPod(pod, node, body.value, nowText(context.clock))
    const why = context.mayWrite(key, bound)
    if (why !== undefined) throw forbidden(served, name, why)
    return bound
  }
  const pod = store.get(key)
  if (pod === undefined) throw notFound(served, name)
  const uid = textAt(body.value, 'metadata', 'uid')
  if (uid !== '' && uid !== pod.metadata.uid) {
    throw new StatusError(
      'Conflict',
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid ?? ''}`,
    )
  }
  if (options.dryRun) bind(pod)
  else
    await context.exclusive(key, () =>
      store.update(key, bind, { part: 'both', author: options.author }),
    )
}

function whyNot(pod: KubeObject): string | undefined {
  const node = textAt(pod, 'spec', 'nodeName')
  if (pod.metadata.deletionTimestamp !== undefined && node === '')
    return 'is being deleted, cannot be assigned to a host'
  if (node !== '') return `is already assigned to node "${node}"`
  return listAt(pod, 'spec', 'schedulingGates').length > 0
    ? 'has non-empty .spec.schedulingGates'
    : undefined
}

/** A pod on its node, with what the binding says beside; what it was nominated for is over. */
function boundPod(pod: KubeObject, node: string, binding: JsonObject, now: string): KubeObject {
  const { nominatedNodeName: _, ...status } = objectAt(pod, 'status')
  const conditions = listAt(status, 'conditions')
  return {
    ...pod,
    metadata: withTexts(withTexts(pod.metadata, binding, 'labels'), binding, 'annotations'),
    spec: { ...objectAt(pod, 'spec'), nodeName: node },
    status: { ...status, conditions: withScheduled(conditions, now) },
  }
}

function withTexts(
  metadata: KubeObject['metadata'],
  binding: JsonObject,
  field: 'labels' | 'annotations',
): KubeObject['metadata'] {
  const added = objectAt(binding, 'metadata', field)
  return Object.keys(added).length === 0
    ? metadata
    : ({ ...metadata, [field]: { ...metadata[field], ...added } } as KubeObject['metadata'])
}

function withScheduled(conditions: readonly Json[], now: string): readonly Json[] {
  const type = 'PodScheduled'
  const isIt = (item: Json): boolean => isObject(item) && item['type'] === type
  const known = conditions.find(isIt)
  const isTrue = at(known, 'status') === 'True'
  const lastTransitionTime = isTrue ? textAt(known, 'lastTransitionTime') || now : now
  const scheduled = { type, status: 'True', lastProbeTime: null, lastTransitionTime }
  return known === undefined
    ? [...conditions, scheduled]
    : conditions.map((item) => (isIt(item) ? scheduled : item))
}
