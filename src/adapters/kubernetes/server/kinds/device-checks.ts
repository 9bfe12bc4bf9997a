import { at, isObject, listAt, numberAt, textAt } from '../json.ts'
import { duplicate, invalidValue, required } from './checks.ts'
import { checkName } from './names.ts'
import { all, type Check, field, fixed, named, neededName, type UpdateCheck } from './rules.ts'

// What the devices that drivers publish have to look like (resource.k8s.io).

/** The ways to say on which nodes the devices of a slice are, of which one has to be taken. */
const PLACES = ['nodeName', 'nodeSelector', 'allNodes', 'perDeviceNodeSelection'] as const
const ONE_PLACE = `exactly one of ${PLACES.map((name) => `\`${name}\``).join(', ')} is required`

/** The name of a pool is made of names with slashes between them. */
const poolName: Check = (path, value) =>
  typeof value !== 'string' || value === ''
    ? [required(path)]
    : value.split('/').flatMap((part) => named('subdomain')(path, part))

const pool: Check = (path, value) => {
  const count = numberAt(value, 'resourceSliceCount') ?? 0
  const generation = numberAt(value, 'generation') ?? 0
  const least = 'must be greater than or equal to zero'
  return [
    ...poolName(`${path}.name`, at(value, 'name')),
    ...(count > 0
      ? []
      : [invalidValue(`${path}.resourceSliceCount`, count, 'must be greater than zero')]),
    ...(generation < 0 ? [invalidValue(`${path}.generation`, generation, least)] : []),
  ]
}

const places: Check = (path, spec) => {
  const set = PLACES.filter((name) => {
    const value = at(spec, name)
    return value === true || isObject(value) || (typeof value === 'string' && value !== '')
  })
  if (set.length === 1) return []
  if (set.length === 0) return [required(path, ONE_PLACE)]
  const list = `{${set.map((name) => `\`${name}\``).join(', ')}}`
  return [invalidValue(path, list, `${ONE_PLACE}, but multiple fields are set`)]
}

const devices: Check = (path, spec) => {
  const names = listAt(spec, 'devices').map((device) => textAt(device, 'name'))
  return names.flatMap((name, index) => {
    const place = `${path}.devices[${index}]`
    return [
      ...checkName(`${place}.name`, name, 'label'),
      ...(names.indexOf(name) < index ? [duplicate(place, name)] : []),
    ]
  })
}

/** The checks of these kinds, by resource id. */
export const DEVICE_CHECKS: Readonly<Record<string, Check>> = {
  'resourceslices.resource.k8s.io': field(
    'spec',
    field('driver', neededName('subdomain')),
    field('pool', pool),
    all(places, devices),
  ),
}

/** What updates of these kinds may not change, by resource id. */
export const DEVICE_UPDATES: Readonly<Record<string, readonly UpdateCheck[]>> = {
  'resourceslices.resource.k8s.io': [
    fixed('spec.pool.name'),
    fixed('spec.driver'),
    fixed('spec.nodeName'),
  ],
}
