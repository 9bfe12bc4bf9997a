import type { Json, KubeObject } from '../../objects/types.ts'
import { at, listAt, objectAt, textAt } from '../json.ts'
import { AGE, type Cell, column, NAME, type TableColumn, textCell } from './column.ts'
import { nameWithDefault } from './network-columns.ts'

const ACCESS_MODES: readonly (readonly [mode: string, short: string])[] = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
]

function accessText(modes: readonly Json[]): string {
  return ACCESS_MODES.filter(([mode]) => modes.includes(mode))
    .map(([, short]) => short)
    .join(',')
}

const phase: Cell = (object) =>
  object.metadata.deletionTimestamp === undefined
    ? textAt(object, 'status', 'phase')
    : 'Terminating'

/** The class was an annotation once. */
const className: Cell = (object) =>
  object.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ??
  textAt(object, 'spec', 'storageClassName')

function claimText(volume: KubeObject): string {
  const claim = at(volume, 'spec', 'claimRef')
  return claim === undefined ? '' : `${textAt(claim, 'namespace')}/${textAt(claim, 'name')}`
}

const isBound = (claim: KubeObject): boolean => textAt(claim, 'spec', 'volumeName') !== ''

const CLASS_COLUMNS: readonly TableColumn[] = [
  column('StorageClass', 'The kind of storage.', className),
  column(
    'VolumeAttributesClass',
    'The settings that may change.',
    textCell(['spec', 'volumeAttributesClassName'], '<unset>'),
  ),
]
const VOLUME_MODE = column(
  'VolumeMode',
  'Whether it is a file system.',
  textCell(['spec', 'volumeMode'], '<unset>'),
  { priority: 1 },
)

/** A setting that is on or off, with what it is where nothing is said. */
function flag(name: string, description: string, key: string, otherwise: boolean): TableColumn {
  return column(name, description, (object) => at(object, 'spec', key) ?? otherwise, {
    type: 'boolean',
  })
}

function quotaText(isLimit: boolean): Cell {
  return (quota) => {
    const hard = objectAt(quota, 'status', 'hard')
    return Object.keys(hard)
      .filter((name) => name.startsWith('limits.') === isLimit)
      .sort()
      .map(
        (name) => `${name}: ${textAt(quota, 'status', 'used', name) || '0'}/${String(hard[name])}`,
      )
      .join(', ')
  }
}

/** The columns of these kinds, by resource id. */
export const STORAGE_COLUMNS: Readonly<Record<string, readonly TableColumn[]>> = {
  persistentvolumes: [
    NAME,
    column('Capacity', 'How much it holds.', textCell(['spec', 'capacity', 'storage'], '0')),
    column('Access Modes', 'How it can be mounted.', (volume) =>
      accessText(listAt(volume, 'spec', 'accessModes')),
    ),
    column(
      'Reclaim Policy',
      'What becomes of it when it is released.',
      textCell(['spec', 'persistentVolumeReclaimPolicy']),
    ),
    column('Status', 'Whether it is bound.', phase),
    column('Claim', 'The claim that it is bound to.', claimText),
    ...CLASS_COLUMNS,
    column('Reason', 'Why it is in this state.', textCell(['status', 'reason'])),
    AGE,
    VOLUME_MODE,
  ],
  persistentvolumeclaims: [
    NAME,
    column('Status', 'Whether it is bound.', phase),
    column('Volume', 'The volume that it is bound to.', textCell(['spec', 'volumeName'])),
    column('Capacity', 'How much the volume holds.', (claim) =>
      isBound(claim) ? textAt(claim, 'status', 'capacity', 'storage') || '0' : '',
    ),
    column('Access Modes', 'How the volume can be mounted.', (claim) =>
      isBound(claim) ? accessText(listAt(claim, 'status', 'accessModes')) : '',
    ),
    ...CLASS_COLUMNS,
    AGE,
    VOLUME_MODE,
  ],
  resourcequotas: [
    NAME,
    column('Request', 'What is asked for, of what may be.', quotaText(false)),
    column('Limit', 'What it is limited to, of what may be.', quotaText(true)),
    AGE,
  ],
  'csidrivers.storage.k8s.io': [
    NAME,
    flag('AttachRequired', 'Whether volumes are attached first.', 'attachRequired', true),
    flag('PodInfoOnMount', 'Whether it is told of the pod.', 'podInfoOnMount', false),
    flag('StorageCapacity', 'Whether it says what is free.', 'storageCapacity', false),
    column('TokenRequests', 'Whom it needs tokens for.', (driver) =>
      at(driver, 'spec', 'tokenRequests') === undefined
        ? '<unset>'
        : listAt(driver, 'spec', 'tokenRequests')
            .map((item) => textAt(item, 'audience'))
            .join(','),
    ),
    flag('RequiresRepublish', 'Whether it is called again and again.', 'requiresRepublish', false),
    column(
      'Modes',
      'The lives of volumes that it knows.',
      (driver) => listAt(driver, 'spec', 'volumeLifecycleModes').map(String).join(',') || '<none>',
    ),
    AGE,
  ],
  'csinodes.storage.k8s.io': [
    NAME,
    column(
      'Drivers',
      'How many drivers the node has.',
      (node) => listAt(node, 'spec', 'drivers').length,
      {
        type: 'integer',
      },
    ),
    AGE,
  ],
  'storageclasses.storage.k8s.io': [
    nameWithDefault('storageclass.kubernetes.io/is-default-class'),
    column('Provisioner', 'Who makes volumes.', textCell(['provisioner'])),
    column('ReclaimPolicy', 'What becomes of volumes.', textCell(['reclaimPolicy'], 'Delete')),
    column(
      'VolumeBindingMode',
      'When volumes are bound.',
      textCell(['volumeBindingMode'], 'Immediate'),
    ),
    column(
      'AllowVolumeExpansion',
      'Whether volumes may grow.',
      (object) => object['allowVolumeExpansion'] ?? false,
    ),
    AGE,
  ],
  'volumeattachments.storage.k8s.io': [
    NAME,
    column('Attacher', 'Who attaches it.', textCell(['spec', 'attacher']), { format: 'name' }),
    column('PV', 'The volume.', textCell(['spec', 'source', 'persistentVolumeName'])),
    column('Node', 'The node.', textCell(['spec', 'nodeName'])),
    column(
      'Attached',
      'Whether it is attached.',
      (object) => at(object, 'status', 'attached') ?? false,
      { type: 'boolean' },
    ),
    AGE,
  ],
  'volumeattributesclasses.storage.k8s.io': [
    NAME,
    column('DriverName', 'Whose settings these are.', textCell(['driverName'])),
    AGE,
  ],
}
