import { textAt } from '../json.ts'
import { always, eachOf, type Fill, fills, inside, values, where } from './filling.ts'
import { pullPolicyOf } from './image-policy.ts'

/** Files that are made from objects are readable by all: 0644. */
const FILE_MODE = 0o644

/** A field of the pod itself is of the version in which pods are written. */
export const fieldRefDefaults: Fill = inside('fieldRef', values({ apiVersion: 'v1' }))

/** An amount of a container is told as it is, without a divisor. */
export const resourceRefDefaults: Fill = inside('resourceFieldRef', values({ divisor: '0' }))

const fileDefaults = fills(fieldRefDefaults, resourceRefDefaults)

/** What the places get where the content of a volume or of a persistent volume may be. */
export const sourceDefaults: Fill = fills(
  inside('hostPath', values({ type: '' })),
  inside('iscsi', values({ iscsiInterface: 'default' })),
  inside('rbd', values({ pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' })),
  inside('scaleIO', values({ storageMode: 'ThinProvisioned', fsType: 'xfs' })),
  inside(
    'azureDisk',
    values({ cachingMode: 'ReadWrite', fsType: 'ext4', readOnly: false, kind: 'Shared' }),
  ),
)

const projectionDefaults = fills(
  inside('serviceAccountToken', values({ expirationSeconds: 3600 })),
  inside('downwardAPI', eachOf('items', fileDefaults)),
)

/** What the spec of a claim gets. */
export const claimSpecDefaults: Fill = values({ volumeMode: 'Filesystem' })

/** What a volume of a pod gets. */
export const volumeDefaults: Fill = fills(
  where((volume) => !Object.keys(volume).some((key) => key !== 'name'), values({ emptyDir: {} })),
  ...['configMap', 'secret'].map((key) => inside(key, values({ defaultMode: FILE_MODE }))),
  inside('downwardAPI', values({ defaultMode: FILE_MODE }), eachOf('items', fileDefaults)),
  inside('projected', values({ defaultMode: FILE_MODE }), eachOf('sources', projectionDefaults)),
  inside(
    'ephemeral',
    inside('volumeClaimTemplate', always('metadata'), inside('spec', claimSpecDefaults)),
  ),
  inside('image', (image) =>
    values({ pullPolicy: pullPolicyOf(textAt(image, 'reference')) })(image),
  ),
  sourceDefaults,
)
