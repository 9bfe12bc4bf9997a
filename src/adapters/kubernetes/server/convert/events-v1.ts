import type { KubeObject } from '../../objects/types.ts'
import type { Draft } from '../json.ts'
import type { Conversion } from './conversion.ts'

/** Where events.k8s.io/v1 and core/v1 name the same field differently. */
const NAMES: readonly (readonly [view: string, kept: string])[] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
  ['reportingController', 'reportingComponent'],
]

function renamed(
  object: KubeObject,
  apiVersion: string,
  names: ReadonlyMap<string, string>,
): Draft {
  const out: Draft = {}
  for (const [key, value] of Object.entries(object)) out[names.get(key) ?? key] = value
  return { ...out, apiVersion }
}

const TO_KEPT: ReadonlyMap<string, string> = new Map(NAMES)
const FROM_KEPT: ReadonlyMap<string, string> = new Map(NAMES.map(([view, kept]) => [kept, view]))

const REFERENCE = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath']

/** Events as events.k8s.io/v1 shows them; they are kept as core/v1 does. */
export const eventsV1: Conversion = {
  toKept: (event) => {
    const kept = renamed(event, 'v1', TO_KEPT)
    // Fields that core/v1 always writes down.
    return {
      ...kept,
      involvedObject: kept['involvedObject'] ?? {},
      source: kept['source'] ?? {},
      reportingComponent: kept['reportingComponent'] ?? '',
      reportingInstance: kept['reportingInstance'] ?? '',
    } as unknown as KubeObject
  },
  fromKept: (event) => {
    const view = renamed(event, 'events.k8s.io/v1', FROM_KEPT)
    // What it is stays in front, where a list leaves it out.
    return { ...view, eventTime: view['eventTime'] ?? null } as unknown as KubeObject
  },
  fields: {
    ...Object.fromEntries(
      REFERENCE.map((field) => [`regarding.${field}`, `involvedObject.${field}`]),
    ),
    reportingController: 'reportingComponent',
  },
}
