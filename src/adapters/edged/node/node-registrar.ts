import type { Clock } from '../../../core/interfaces/clock.ts'
import {
  type KubeObject,
  ObjectError,
  type ObjectKey,
  type ObjectStore,
} from '../../kubernetes/objects/types.ts'
import type { Occurrence } from '../events/event-record.ts'
import { asObject, sameJson } from '../json.ts'
import { type NodeFacts, nodeLabels, nodeStatus, withNodeLabels } from './node-status.ts'

/**
 * Keeps the Node object as this machine is. Safe to repeat.
 *
 * @returns the boot id, where the object has said another one: the machine was rebooted.
 */
export async function registerNode(
  store: ObjectStore,
  facts: NodeFacts,
  clock: Clock,
): Promise<string | undefined> {
  const key: ObjectKey = { resource: 'nodes', name: facts.name }
  const author = 'edged'
  if (store.get(key) === undefined) await createNode(store, facts)
  await store.update(
    key,
    (node): KubeObject => {
      const labels = withNodeLabels(node.metadata.labels, facts)
      if (labels === node.metadata.labels) return node
      return { ...node, metadata: { ...node.metadata, labels } }
    },
    { part: 'desired', author },
  )
  const told = asObject(asObject(store.get(key)?.['status'])['nodeInfo'])['bootID']
  await store.update(
    key,
    (node): KubeObject => {
      const status = nodeStatus(asObject(node['status']), facts, clock.wallMs())
      return sameJson(node['status'], status) ? node : { ...node, status }
    },
    { part: 'observed', author },
  )
  const isKnown = typeof told === 'string' && told !== ''
  return isKnown && told !== facts.bootID ? facts.bootID : undefined
}

/** What is told of a machine that was rebooted. */
export function rebooted(name: string, bootId: string): Occurrence {
  return {
    kind: 'Node',
    namespace: 'default',
    name,
    uid: name,
    type: 'Warning',
    reason: 'Rebooted',
    message: `Node ${name} has been rebooted, boot id: ${bootId}`,
  }
}

async function createNode(store: ObjectStore, facts: NodeFacts): Promise<void> {
  const node: KubeObject = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: facts.name, labels: nodeLabels(facts) },
    spec: {},
  }
  try {
    await store.create(node, { author: 'edged' })
  } catch (error) {
    // The cloud made it meanwhile: fine.
    if (!(error instanceof ObjectError && error.reason === 'AlreadyExists')) throw error
  }
}
