import { readFileSync } from 'node:fs'
import type { KubeObject } from '../../kubernetes/objects/types.ts'
import { asObject, asObjects, asText, asTextMap } from '../json.ts'

const ENABLED = '/sys/module/apparmor/parameters/enabled'
/** How a profile was asked for before there was a field, for the container that follows. */
const ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/'

/** Whether the kernel of this machine enforces profiles of AppArmor. */
export function hasAppArmor(): boolean {
  try {
    return readFileSync(ENABLED, 'utf8').startsWith('Y')
  } catch {
    return false
  }
}

/** Whether a pod, or one of its containers, is to be held by a profile of AppArmor. */
export function asksForAppArmor(pod: KubeObject): boolean {
  const spec = asObject(pod['spec'])
  const lists = ['initContainers', 'containers', 'ephemeralContainers']
  const all = [spec, ...lists.flatMap((list) => asObjects(spec[list]))]
  const types = all.map((each) =>
    asText(asObject(asObject(each['securityContext'])['appArmorProfile'])['type']),
  )
  const noted = Object.entries(asTextMap(pod.metadata.annotations)).filter(([name]) =>
    name.startsWith(ANNOTATION),
  )
  return (
    types.some((type) => type !== undefined && type !== 'Unconfined') ||
    noted.some(([, profile]) => profile !== 'unconfined' && profile !== '')
  )
}
