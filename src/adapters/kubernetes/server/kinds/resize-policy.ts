import type { Json } from '../../objects/types.ts'
import { textAt } from '../json.ts'
import { type Cause, checkOneOf, duplicate, required } from './checks.ts'

/** The resources of which a container that runs may get more or less. */
export const RESIZED = ['cpu', 'memory'] as const

/** What is wrong with what a container says of how it is resized. */
export function resizePolicyCauses(place: string, policies: readonly Json[]): readonly Cause[] {
  const field = `${place}.resizePolicy`
  const names = policies.map((policy) => textAt(policy, 'resourceName'))
  return policies.flatMap((policy, index) => {
    const [name = '', restart] = [names[index], textAt(policy, 'restartPolicy')]
    return [
      ...(names.indexOf(name) < index ? [duplicate(`${field}[${index}]`, name)] : []),
      ...(name === '' ? [required(field)] : checkOneOf(field, name, RESIZED)),
      ...(restart === ''
        ? [required(field)]
        : checkOneOf(field, restart, ['NotRequired', 'RestartContainer'])),
    ]
  })
}
