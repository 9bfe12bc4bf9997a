import { quantityNano } from '../../objects/quantity.ts'
import type { Json, JsonObject } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt, textAt, withField } from '../json.ts'
import { type Cause, forbiddenField, invalidValue, notSupported, required } from './checks.ts'
import {
  all,
  type Check,
  each,
  field,
  fixed,
  given,
  min,
  named,
  needed,
  neededName,
  oneOf,
  qualified,
  sameValue,
  type UpdateCheck,
} from './rules.ts'
import { selectorCheck } from './selector-checks.ts'

// What volumes, claims and the kinds of storage have to look like.

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'] as const

const accessModes: Check = (path, spec) => {
  const modes = listAt(spec, 'accessModes')
  const isMixed = modes.includes('ReadWriteOncePod') && new Set(modes).size > 1
  const text = 'may not use ReadWriteOncePod with other access modes'
  return [
    ...modes.flatMap((mode) => oneOf(...ACCESS_MODES)(`${path}.accessModes`, mode)),
    ...(isMixed ? [forbiddenField(`${path}.accessModes`, text)] : []),
  ]
}

const volumeMode: Check = field('volumeMode', oneOf('Block', 'Filesystem'))
const className: Check = given('storageClassName', named('subdomain'))

function amountCauses(
  path: string,
  value: Json | undefined,
  isZeroAllowed: boolean,
): readonly Cause[] {
  const amount = quantityNano(String(value)) ?? 0n
  if (amount > 0n || (isZeroAllowed && amount === 0n)) return []
  return [
    invalidValue(path, value, `must be greater than ${isZeroAllowed ? 'or equal to 0' : 'zero'}`),
  ]
}

/** The fields of a volume that say something else than where its content is. */
const OTHER_FIELDS: ReadonlySet<string> = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
])

function sourcesOf(spec: Json | undefined): JsonObject {
  const entries = Object.entries(isObject(spec) ? spec : {})
  return Object.fromEntries(
    entries.filter(([key, value]) => !OTHER_FIELDS.has(key) && value !== undefined),
  )
}

const capacity: Check = (path, spec) => {
  const found = at(spec, 'capacity')
  const names = Object.keys(objectAt(spec, 'capacity'))
  return [
    ...(names.length === 0 ? [required(`${path}.capacity`)] : []),
    ...(names.length === 1 && names[0] === 'storage'
      ? []
      : [notSupported(`${path}.capacity`, found, ['storage'])]),
    ...(names.includes('storage')
      ? amountCauses(`${path}.capacity[storage]`, at(found, 'storage'), false)
      : []),
  ]
}

/** Where the content of a volume is: in one place. */
const volumeSource: Check = (path, spec) => {
  const sources = sourcesOf(spec)
  const [first, ...more] = Object.keys(sources)
  const needs: Readonly<Record<string, readonly string[]>> = {
    hostPath: ['path'],
    local: ['path'],
    nfs: ['server', 'path'],
    csi: ['driver', 'volumeHandle'],
  }
  return [
    ...more.map((key) =>
      forbiddenField(`${path}.${key}`, 'may not specify more than 1 volume type'),
    ),
    ...(first === undefined ? [required(path, 'must specify a volume type')] : []),
    ...(first === undefined ? [] : (needs[first] ?? [])).flatMap((key) =>
      textAt(sources, first ?? '', key) === '' ? [required(`${path}.${first ?? ''}.${key}`)] : [],
    ),
    ...(first === 'local' && at(spec, 'nodeAffinity') === undefined
      ? [required(`${path}.nodeAffinity`, 'Local volume requires node affinity')]
      : []),
  ]
}

const volume: Check = field(
  'spec',
  field('accessModes', needed()),
  accessModes,
  capacity,
  field('persistentVolumeReclaimPolicy', oneOf('Delete', 'Recycle', 'Retain')),
  volumeSource,
  className,
  volumeMode,
)

/** The spec of a claim, also one that a stateful set makes. */
export const claimSpec: Check = all(
  field('accessModes', needed('at least 1 access mode is required')),
  field('selector', selectorCheck),
  accessModes,
  (path, spec) => {
    const wanted = at(spec, 'resources', 'requests', 'storage')
    const place = `${path}.resources[storage]`
    return wanted === undefined ? [required(place)] : amountCauses(place, wanted, false)
  },
  className,
  volumeMode,
)

function volumeUpdate(before: JsonObject, after: JsonObject): readonly Cause[] {
  const isSame = sameValue(sourcesOf(at(before, 'spec')), sourcesOf(at(after, 'spec')))
  const place = 'spec.persistentvolumesource'
  return isSame ? [] : [forbiddenField(place, `${place} is immutable after creation`)]
}

/** A claim keeps its spec; once bound it may grow. */
function claimUpdate(before: JsonObject, after: JsonObject): readonly Cause[] {
  const isBound = textAt(after, 'status', 'phase') === 'Bound'
  const changeable = [
    ...(isBound
      ? [
          ['spec', 'resources', 'requests', 'storage'],
          ['spec', 'volumeAttributesClassName'],
        ]
      : []),
    ...(textAt(before, 'spec', 'volumeName') === '' ? [['spec', 'volumeName']] : []),
  ]
  const rest = (claim: JsonObject): Json | undefined =>
    at(
      changeable.reduce((object, path) => withField(object, path, undefined), claim),
      'spec',
    )
  const text =
    'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims'
  const sizes = [before, after].map(
    (claim) => quantityNano(textAt(claim, 'spec', 'resources', 'requests', 'storage')) ?? 0n,
  )
  const held = quantityNano(textAt(before, 'status', 'capacity', 'storage')) ?? 0n
  const hasShrunk = (sizes[1] ?? 0n) < (sizes[0] ?? 0n) && (sizes[1] ?? 0n) <= held
  return [
    ...(sameValue(rest(before), rest(after)) ? [] : [forbiddenField('spec', text)]),
    ...(hasShrunk
      ? [
          forbiddenField(
            'spec.resources.requests.storage',
            'field can not be less than status.capacity',
          ),
        ]
      : []),
    ...fixed('spec.volumeMode', 'volumeMode')(before, after),
  ]
}

const provisioner: Check = (path, value) =>
  typeof value === 'string' && value !== ''
    ? qualified(path, value.toLowerCase())
    : [required(path)]

const parameters: Check = (path, value) =>
  Object.keys(isObject(value) ? value : {}).flatMap((key) =>
    key === '' ? [invalidValue(path, key, 'field can not be empty.')] : [],
  )

const driverModes: Check = (path, value) =>
  listAt({ value }, 'value').flatMap((mode) => oneOf('Persistent', 'Ephemeral')(path, mode))

const csiDrivers: Check = (path, spec) => {
  const names = listAt(spec, 'drivers').map((driver) => textAt(driver, 'name'))
  return [
    ...each(
      'drivers',
      field('name', neededName('subdomain')),
      field('nodeID', needed()),
      given('allocatable', field('count', min(0))),
    )(path, spec),
    ...names.flatMap((name, index) =>
      names.indexOf(name) < index
        ? [
            {
              reason: 'FieldValueDuplicate',
              field: `${path}.drivers[${index}].name`,
              message: `Duplicate value: ${JSON.stringify(name)}`,
            },
          ]
        : [],
    ),
  ]
}

const attachment: Check = (path, spec) => {
  const source = objectAt(spec, 'source')
  const count = ['inlineVolumeSpec', 'persistentVolumeName'].filter(
    (key) => source[key] !== undefined,
  )
  const text = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'
  return [
    ...neededName('subdomain')(`${path}.attacher`, at(spec, 'attacher')),
    ...(count.length === 0 ? [required(`${path}.source`, text)] : []),
    ...(count.length > 1 ? [forbiddenField(`${path}.source`, text)] : []),
    ...named('subdomain')(`${path}.nodeName`, at(spec, 'nodeName') ?? ''),
  ]
}

const attachmentUpdate: UpdateCheck = (before, after) => {
  const spec = at(after, 'spec')
  const shown = {
    Attacher: textAt(spec, 'attacher'),
    Source: {
      PersistentVolumeName: at(spec, 'source', 'persistentVolumeName') ?? null,
      InlineVolumeSpec: at(spec, 'source', 'inlineVolumeSpec') ?? null,
    },
    NodeName: textAt(spec, 'nodeName'),
  }
  return sameValue(at(before, 'spec'), spec)
    ? []
    : [invalidValue('spec', shown, 'field is immutable')]
}

/** The checks of these kinds, by resource id. */
export const VOLUME_CHECKS: Readonly<Record<string, Check>> = {
  persistentvolumes: volume,
  persistentvolumeclaims: field('spec', claimSpec),
  'storageclasses.storage.k8s.io': all(
    field('provisioner', provisioner),
    field('parameters', parameters),
    field('reclaimPolicy', oneOf('Delete', 'Retain')),
    field('volumeBindingMode', oneOf('Immediate', 'WaitForFirstConsumer')),
  ),
  'csidrivers.storage.k8s.io': field(
    'spec',
    field('fsGroupPolicy', oneOf('File', 'None', 'ReadWriteOnceWithFSType')),
    field('volumeLifecycleModes', driverModes),
  ),
  'csinodes.storage.k8s.io': field('spec', csiDrivers),
  'csistoragecapacities.storage.k8s.io': all(
    field('nodeTopology', selectorCheck),
    field('storageClassName', (path, value) => named('subdomain')(path, value ?? '')),
    given('capacity', (path, value) => amountCauses(path, value, true)),
  ),
  'volumeattachments.storage.k8s.io': field('spec', attachment),
  'volumeattributesclasses.storage.k8s.io': all(
    field('driverName', neededName('subdomain')),
    field('parameters', needed('must contain at least one key/value pair')),
  ),
}

const parametersKept: UpdateCheck = (before, after) =>
  sameValue(at(before, 'parameters'), at(after, 'parameters'))
    ? []
    : [forbiddenField('parameters', 'updates to parameters are forbidden.')]

/** What updates of these kinds may not change, by resource id. */
export const VOLUME_UPDATES: Readonly<Record<string, readonly UpdateCheck[]>> = {
  persistentvolumes: [volumeUpdate, fixed('spec.volumeMode', 'volumeMode')],
  persistentvolumeclaims: [claimUpdate],
  'storageclasses.storage.k8s.io': [
    fixed('parameters'),
    fixed('provisioner'),
    fixed('reclaimPolicy'),
    fixed('volumeBindingMode'),
  ],
  'csidrivers.storage.k8s.io': [
    fixed('spec.attachRequired', 'spec.attachedRequired'),
    fixed('spec.fsGroupPolicy'),
    fixed('spec.volumeLifecycleModes'),
  ],
  'csistoragecapacities.storage.k8s.io': [fixed('nodeTopology'), fixed('storageClassName')],
  'volumeattachments.storage.k8s.io': [attachmentUpdate],
  'volumeattributesclasses.storage.k8s.io': [fixed('driverName'), parametersKept],
}
