import type { JsonObject, KubeObject } from '../objects/types.ts'
import { recorded } from './admit.ts'
import type { RequestContext } from './context.ts'
import { objectAt } from './json.ts'

/** What the server gives out by itself below `spec`: whoever creates an object does not own it. */
const ALLOTTED: Readonly<Record<string, readonly string[]>> = {
  namespaces: ['finalizers'],
  pods: ['priority', 'preemptionPolicy', 'tolerations'],
  services: ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'healthCheckNodePort'],
}

/** A new object with its creator as the owner of what they gave and of its defaults. */
export function ownedByCreator(
  context: RequestContext,
  given: KubeObject,
  object: KubeObject,
): KubeObject {
  const asked = objectAt(given, 'spec')
  const names = (ALLOTTED[context.resource.id] ?? []).filter((name) => !(name in asked))
  const { managedFields } = recorded(context, undefined, withoutSpec(object, names)).metadata
  const { managedFields: _, ...metadata } = object.metadata
  return {
    ...object,
    metadata: managedFields === undefined ? metadata : { ...metadata, managedFields },
  } as KubeObject
}

function withoutSpec(object: KubeObject, names: readonly string[]): KubeObject {
  if (names.length === 0) return object
  const kept = Object.entries(objectAt(object, 'spec')).filter(([name]) => !names.includes(name))
  const { spec: _, ...rest } = object
  const spec = Object.fromEntries(kept) as JsonObject
  return (kept.length === 0 ? rest : { ...rest, spec }) as KubeObject
}
