import { builtinResources } from '../../objects/resources.ts'
import type { KubeObject } from '../../objects/types.ts'
import { parseObject } from '../body.ts'
import { objectAt, textAt } from '../json.ts'
import { decodeTyped } from '../schema/decode.ts'
import { structType } from '../schema/schema.ts'
import { badRequest } from '../status.ts'
import { applyDefaults } from './defaults.ts'
import { checkObject } from './validate.ts'

/** A pod with this annotation gets no account of its own. */
const MIRROR = 'kubernetes.io/config.mirror'

/**
 * Reads a pod that is not asked of the API: a manifest of a static pod, YAML or JSON, completed and
 * checked as the API does it with one that is created. Fields that no pod has are left out.
 *
 * @throws Error with what is wrong with it, in the words of the API.
 */
export function readPodManifest(text: string): KubeObject {
  const { value } = parseObject(new TextEncoder().encode(text), 'application/yaml')
  if (value['kind'] !== 'Pod' || value['apiVersion'] !== 'v1')
    throw badRequest('invalid pod: apiVersion must be v1, and kind Pod')
  const type = structType('core.Pod')
  const decoded = type === undefined ? value : decodeTyped(type, value).value
  const metadata = objectAt(decoded, 'metadata')
  if (textAt(metadata, 'name') === '' || textAt(metadata, 'name') === undefined)
    throw badRequest('invalid pod: name is needed for the pod')
  const annotations = { ...objectAt(metadata, 'annotations'), [MIRROR]: '' }
  const given = {
    ...decoded,
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'default', ...metadata, annotations },
  } as unknown as KubeObject
  const pod = applyDefaults('pods', given)
  const resource = builtinResources.find(({ id }) => id === 'pods')
  const causes = resource === undefined ? [] : checkObject(resource, pod)
  if (causes.length > 0)
    throw badRequest(
      `invalid pod: ${causes.map((each) => `${each.field}: ${each.message}`).join(', ')}`,
    )
  const { [MIRROR]: _mirror, ...own } = annotations
  return { ...pod, metadata: { ...pod.metadata, annotations: own } } as KubeObject
}
