import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { at, type Draft, isObject, listAt, textAt } from '../json.ts'
import { emptyStatus } from './defaults.ts'
import { withDefaults } from './filling.ts'

/**
 * A status that was written, with what its kind always has: the zeros that a client sees even where
 * nothing is reported, and what is taken from before where the writer leaves it out.
 */
export function completeStatus(
  resource: string,
  before: KubeObject,
  given: Json | undefined,
): JsonObject | undefined {
  const status = isObject(given) ? given : {}
  if (resource === 'pods') return podStatus(before, status)
  const time = at(before, 'status', 'lastPhaseTransitionTime')
  if (resource === 'persistentvolumes' && time !== undefined)
    return withDefaults(status, { ...emptyStatus(resource), lastPhaseTransitionTime: time })
  const empty = emptyStatus(resource)
  if (empty !== undefined) return withDefaults(status, empty)
  return isObject(given) ? given : undefined
}

/** What a container has said nothing of. */
const EMPTY_CONTAINER: JsonObject = {
  image: '',
  imageID: '',
  lastState: {},
  ready: false,
  restartCount: 0,
  state: {},
}

function podStatus(before: KubeObject, status: JsonObject): JsonObject {
  const out: Draft = { ...status }
  // A pod is of the quality that its requests make it, whoever reports what else.
  const quality = textAt(status, 'qosClass') || at(before, 'status', 'qosClass')
  if (quality !== undefined) out['qosClass'] = quality
  const ip = textAt(status, 'podIP')
  const ips = listAt(status, 'podIPs')
  if (ip !== '' && ips.length === 0) out['podIPs'] = [{ ip }]
  if (ip === '' && ips.length > 0) out['podIP'] = textAt(ips[0], 'ip')
  for (const list of ['initContainerStatuses', 'containerStatuses', 'ephemeralContainerStatuses']) {
    const items = listAt(status, list)
    if (items.length === 0) continue
    out[list] = items.map((item) => (isObject(item) ? withDefaults(item, EMPTY_CONTAINER) : item))
  }
  return out
}
