import type { KubeObject } from '../objects/types.ts'
import { listAt, textAt } from './json.ts'
import { badRequest } from './status.ts'

const LISTS = ['initContainers', 'containers', 'ephemeralContainers'] as const

/**
 * The container of a pod that a request is about: the one it names, or the only one.
 *
 * @throws StatusError 400 when it names none that is there, or has to.
 */
export function containerOf(pod: KubeObject, asked: string): string {
  const { name } = pod.metadata
  const main = listAt(pod, 'spec', 'containers').map((item) => textAt(item, 'name'))
  const all = LISTS.flatMap((list) => listAt(pod, 'spec', list)).map((item) => textAt(item, 'name'))
  if (asked !== '') {
    if (all.includes(asked)) return asked
    throw badRequest(`container ${asked} is not valid for pod ${name}`)
  }
  if (main.length === 1 && main[0] !== undefined) return main[0]
  const choice = main.length === 0 ? '' : `, choose one of: [${all.join(' ')}]`
  throw badRequest(`a container name must be specified for pod ${name}${choice}`)
}

/** Whether a node runs a pod, or will. */
export function hasHost(pod: KubeObject): boolean {
  return textAt(pod, 'spec', 'nodeName') !== ''
}
