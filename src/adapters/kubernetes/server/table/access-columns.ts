import type { KubeObject } from '../../objects/types.ts'
import { listAt, textAt } from '../json.ts'
import { AGE, column, NAME, numberCell, type TableColumn, textCell } from './column.ts'

/** The subjects of a binding of one kind. */
function subjects(kind: string): (binding: KubeObject) => string {
  return (binding) =>
    listAt(binding, 'subjects')
      .filter((subject) => textAt(subject, 'kind') === kind)
      .map((subject) => {
        const namespace = kind === 'ServiceAccount' ? textAt(subject, 'namespace') : ''
        return `${namespace === '' ? '' : `${namespace}/`}${textAt(subject, 'name')}`
      })
      .join(', ')
}

const BINDING_COLUMNS: readonly TableColumn[] = [
  NAME,
  column(
    'Role',
    'What may be done.',
    (binding) => `${textAt(binding, 'roleRef', 'kind')}/${textAt(binding, 'roleRef', 'name')}`,
  ),
  AGE,
  column('Users', 'The users who may.', subjects('User'), { priority: 1 }),
  column('Groups', 'The groups who may.', subjects('Group'), { priority: 1 }),
  column('ServiceAccounts', 'The service accounts that may.', subjects('ServiceAccount'), {
    priority: 1,
  }),
]

const WEBHOOK_COLUMNS: readonly TableColumn[] = [
  NAME,
  column('Webhooks', 'How many webhooks it names.', (object) => listAt(object, 'webhooks').length, {
    type: 'integer',
  }),
  AGE,
]

/** The columns of these kinds, by resource id. */
export const ACCESS_COLUMNS: Readonly<Record<string, readonly TableColumn[]>> = {
  'clusterrolebindings.rbac.authorization.k8s.io': BINDING_COLUMNS,
  'rolebindings.rbac.authorization.k8s.io': BINDING_COLUMNS,
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': WEBHOOK_COLUMNS,
  'validatingwebhookconfigurations.admissionregistration.k8s.io': WEBHOOK_COLUMNS,
  'priorityclasses.scheduling.k8s.io': [
    NAME,
    column('Value', 'The priority of its pods.', numberCell(['value']), { type: 'integer' }),
    column(
      'Global-Default',
      'Whether it counts for pods that name none.',
      (object) => object['globalDefault'] ?? false,
      { type: 'boolean' },
    ),
    AGE,
    column(
      'PreemptionPolicy',
      'Whether its pods take the place of others.',
      textCell(['preemptionPolicy']),
    ),
  ],
  'runtimeclasses.node.k8s.io': [
    NAME,
    column('Handler', 'What runs its pods.', textCell(['handler'])),
    AGE,
  ],
}
