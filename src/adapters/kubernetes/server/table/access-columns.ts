import type { Json, KubeObject } from '../../objects/types.ts'
import { at, listAt, objectAt, textAt } from '../json.ts'
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

function policyColumns(title: string, description: string, key: string): readonly TableColumn[] {
  return [
    NAME,
    column(title, description, (policy) => listAt(policy, 'spec', key).length, {
      type: 'integer',
    }),
    column('ParamKind', 'The kind of its parameters.', (policy) => {
      const kind = at(policy, 'spec', 'paramKind')
      return kind === undefined ? UNSET : `${textAt(kind, 'apiVersion')}/${textAt(kind, 'kind')}`
    }),
    AGE,
  ]
}

const UNSET = '<unset>'

/** Whether parameters without a namespace are of the cluster cannot be told from here. */
function paramText(binding: KubeObject): string {
  const reference = at(binding, 'spec', 'paramRef')
  const name = textAt(reference, 'name')
  if (name !== '') return `${textAt(reference, 'namespace') || '*'}/${name}`
  const selector = at(reference, 'selector')
  return selector === undefined ? UNSET : goSelectorText(selector)
}

/** A selector as Go writes a pointer to one. */
function goSelectorText(selector: Json): string {
  const labels = Object.entries(objectAt(selector, 'matchLabels'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}: ${String(value)},`)
    .join('')
  const expressions = listAt(selector, 'matchExpressions').map(
    (item) =>
      `LabelSelectorRequirement{Key:${textAt(item, 'key')},Operator:${textAt(item, 'operator')},Values:[${listAt(item, 'values').map(String).join(' ')}],}`,
  )
  const rest = expressions.length === 0 ? '' : `${expressions.join(',')},`
  return `&LabelSelector{MatchLabels:map[string]string{${labels}},MatchExpressions:[]LabelSelectorRequirement{${rest}},}`
}

const POLICY_BINDING_COLUMNS: readonly TableColumn[] = [
  NAME,
  column('PolicyName', 'The policy that it binds.', textCell(['spec', 'policyName'])),
  column('ParamRef', 'Its parameters.', paramText),
  AGE,
]

/** The columns of these kinds, by resource id. */
export const ACCESS_COLUMNS: Readonly<Record<string, readonly TableColumn[]>> = {
  'clusterrolebindings.rbac.authorization.k8s.io': BINDING_COLUMNS,
  'rolebindings.rbac.authorization.k8s.io': BINDING_COLUMNS,
  'validatingadmissionpolicies.admissionregistration.k8s.io': policyColumns(
    'Validations',
    'How many validations it has.',
    'validations',
  ),
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': POLICY_BINDING_COLUMNS,
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
