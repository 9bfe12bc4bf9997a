import type { KubeObject } from '../../objects/types.ts'
import { at, listAt, numberAt, objectAt, textAt } from '../json.ts'
import {
  AGE,
  type Cell,
  column,
  durationText,
  labelsText,
  listText,
  NAME,
  numberCell,
  Since,
  since,
  type TableColumn,
  textCell,
} from './column.ts'
import { selectorText } from './selector-text.ts'

const wide = { priority: 1 } as const
const TEMPLATE = ['spec', 'template'] as const
const JOB_TEMPLATE = ['spec', 'jobTemplate', 'spec', 'template'] as const

function containersOf(field: 'name' | 'image', template: readonly string[]): Cell {
  return (object) =>
    listAt(object, ...template, 'spec', 'containers')
      .map((item) => textAt(item, field))
      .join(',')
}

/** The names and images of the containers, shown with `-o wide` unless said otherwise. */
function containerColumns(
  template: readonly string[],
  more: { readonly priority: 0 | 1 } = wide,
): readonly TableColumn[] {
  return [
    column('Containers', 'The names of the containers.', containersOf('name', template), more),
    column('Images', 'The images of the containers.', containersOf('image', template), more),
  ]
}

function selectorColumn(...path: readonly string[]): TableColumn {
  return column(
    'Selector',
    'The pods that belong to it.',
    (object) => selectorText(at(object, ...path)),
    wide,
  )
}

const count = (name: string, description: string, ...path: readonly string[]): TableColumn =>
  column(name, description, numberCell(path), { type: 'integer' })

/** Pods of a controller: wanted, there, ready. */
const COUNTS: readonly TableColumn[] = [
  count('Desired', 'Pods that are wanted.', 'spec', 'replicas'),
  count('Current', 'Pods that there are.', 'status', 'replicas'),
  count('Ready', 'Pods that are ready.', 'status', 'readyReplicas'),
]

const readyOfWanted: Cell = (object) =>
  `${numberAt(object, 'status', 'readyReplicas') ?? 0}/${numberAt(object, 'spec', 'replicas') ?? 0}`

const READY = column('Ready', 'Pods that are ready, of those that are wanted.', readyOfWanted)

/** The first of these that holds is what a job is doing. */
const JOB_STATES = ['Complete', 'Failed'] as const
const JOB_STATES_LATER = ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'] as const

function jobStatus(job: KubeObject): string {
  const holds = (type: string): boolean =>
    listAt(job, 'status', 'conditions').some(
      (item) => at(item, 'type') === type && at(item, 'status') === 'True',
    )
  const ended = JOB_STATES.find(holds)
  if (ended !== undefined) return ended
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating'
  return JOB_STATES_LATER.find(holds) ?? 'Running'
}

function jobCompletions(job: KubeObject): string {
  const done = numberAt(job, 'status', 'succeeded') ?? 0
  const wanted = numberAt(job, 'spec', 'completions')
  const beside = numberAt(job, 'spec', 'parallelism') ?? 0
  if (wanted !== undefined) return `${done}/${wanted}`
  return beside > 1 ? `${done}/1 of ${beside}` : `${done}/1`
}

function jobDuration(job: KubeObject): string | Since {
  const start = Date.parse(textAt(job, 'status', 'startTime'))
  if (Number.isNaN(start)) return ''
  const end = Date.parse(textAt(job, 'status', 'completionTime'))
  return Number.isNaN(end) ? new Since(start) : durationText(end - start)
}

const JOB_COLUMNS: readonly TableColumn[] = [
  NAME,
  column('Status', 'What the job is doing.', jobStatus),
  column('Completions', 'Pods that succeeded, of those that have to.', jobCompletions),
  column('Duration', 'How long it took.', jobDuration),
  AGE,
  ...containerColumns(TEMPLATE),
  selectorColumn('spec', 'selector'),
]

function suspended(job: KubeObject): string {
  const value = at(job, 'spec', 'suspend')
  return value === undefined ? '<unset>' : value === true ? 'True' : 'False'
}

const CRON_JOB_COLUMNS: readonly TableColumn[] = [
  NAME,
  column('Schedule', 'When jobs are made.', textCell(['spec', 'schedule'])),
  column('Timezone', 'Where it is that time.', textCell(['spec', 'timeZone'], '<none>')),
  column('Suspend', 'Whether no jobs are made.', suspended, { type: 'boolean' }),
  column('Active', 'Jobs that run.', (job) => listAt(job, 'status', 'active').length, {
    type: 'integer',
  }),
  column('Last Schedule', 'When a job was made last.', (job) => {
    const last = textAt(job, 'status', 'lastScheduleTime')
    return last === '' ? '<none>' : since(last)
  }),
  AGE,
  ...containerColumns(JOB_TEMPLATE),
  selectorColumn('spec', 'jobTemplate', 'spec', 'selector'),
]

const DAEMON_SET_COLUMNS: readonly TableColumn[] = [
  NAME,
  count('Desired', 'Nodes that should run a pod.', 'status', 'desiredNumberScheduled'),
  count('Current', 'Nodes that have a pod.', 'status', 'currentNumberScheduled'),
  count('Ready', 'Nodes whose pod is ready.', 'status', 'numberReady'),
  count('Up-to-date', 'Nodes whose pod is new.', 'status', 'updatedNumberScheduled'),
  count('Available', 'Nodes whose pod is of use.', 'status', 'numberAvailable'),
  column('Node Selector', 'The nodes that are meant.', (set) =>
    labelsText(objectAt(set, ...TEMPLATE, 'spec', 'nodeSelector')),
  ),
  AGE,
  ...containerColumns(TEMPLATE),
  selectorColumn('spec', 'selector'),
]

/** The controller of an object as `statefulset.apps/name`. */
function controllerText(object: KubeObject): string {
  const owner = (object.metadata.ownerReferences ?? []).find((item) => item['controller'] === true)
  if (owner === undefined) return '<none>'
  const [group = '', version] = textAt(owner, 'apiVersion').split('/')
  const kind = textAt(owner, 'kind')
  const full = version === undefined ? kind : `${kind}.${group}`
  return `${full.toLowerCase()}/${textAt(owner, 'name')}`
}

/** What a metric is now and what it should be: `cpu: 12%/60%`. */
function metricText(spec: unknown, status: unknown): string {
  const metric = spec as KubeObject
  const type = textAt(metric, 'type')
  const key = `${type.charAt(0).toLowerCase()}${type.slice(1)}`
  const target = at(metric, key, 'target')
  const now = at((status ?? {}) as KubeObject, key, 'current')
  const unknown = '<unknown>'
  const average = textAt(target, 'averageValue')
  const isOfResource = type === 'Resource' || type === 'ContainerResource'
  const name = isOfResource ? `${textAt(metric, key, 'name')}: ` : ''
  if (average !== '') {
    const mark = type === 'External' || type === 'Object' ? ' (avg)' : ''
    return `${name}${textAt(now, 'averageValue') || unknown}/${average}${mark}`
  }
  if (!isOfResource) return `${textAt(now, 'value') || unknown}/${textAt(target, 'value')}`
  const percent = numberAt(now, 'averageUtilization')
  const wanted = numberAt(target, 'averageUtilization')
  const is = percent === undefined ? unknown : `${percent}%`
  return `${name}${is}/${wanted === undefined ? '<auto>' : `${wanted}%`}`
}

/** Metrics that are shown before the rest is only counted. */
const METRICS_SHOWN = 2

const AUTOSCALER_COLUMNS: readonly TableColumn[] = [
  NAME,
  column('Reference', 'What is scaled.', (scaler) => {
    const target = objectAt(scaler, 'spec', 'scaleTargetRef')
    return `${textAt(target, 'kind')}/${textAt(target, 'name')}`
  }),
  column('Targets', 'What it is scaled by.', (scaler) => {
    const now = listAt(scaler, 'status', 'currentMetrics')
    const texts = listAt(scaler, 'spec', 'metrics').map((item, index) =>
      metricText(item, now[index]),
    )
    return texts.length === 0 ? '<none>' : listText(texts, METRICS_SHOWN, ', ')
  }),
  column('MinPods', 'The fewest pods.', (scaler) => {
    const least = numberAt(scaler, 'spec', 'minReplicas')
    return least === undefined ? '<unset>' : String(least)
  }),
  column('MaxPods', 'The most pods.', numberCell(['spec', 'maxReplicas'])),
  column('Replicas', 'Pods that there are.', numberCell(['status', 'currentReplicas'])),
  AGE,
]

function bound(key: string): Cell {
  return (budget) => String(at(budget, 'spec', key) ?? 'N/A')
}

/** The columns of these kinds, by resource id. */
export const WORKLOAD_COLUMNS: Readonly<Record<string, readonly TableColumn[]>> = {
  podtemplates: [
    NAME,
    ...containerColumns(['template'], { priority: 0 }),
    column('Pod Labels', 'The labels of the pods.', (object) =>
      labelsText(objectAt(object, 'template', 'metadata', 'labels')),
    ),
  ],
  replicationcontrollers: [
    NAME,
    ...COUNTS,
    AGE,
    ...containerColumns(TEMPLATE),
    column(
      'Selector',
      'The pods that belong to it.',
      (object) => labelsText(objectAt(object, 'spec', 'selector')),
      wide,
    ),
  ],
  'controllerrevisions.apps': [
    NAME,
    column('Controller', 'What it is a revision of.', controllerText),
    column('Revision', 'Its number.', numberCell(['revision'])),
    AGE,
  ],
  'daemonsets.apps': DAEMON_SET_COLUMNS,
  'deployments.apps': [
    NAME,
    READY,
    column('Up-to-date', 'Pods of the newest template.', numberCell(['status', 'updatedReplicas'])),
    column('Available', 'Pods that are of use.', numberCell(['status', 'availableReplicas'])),
    AGE,
    ...containerColumns(TEMPLATE),
    selectorColumn('spec', 'selector'),
  ],
  'replicasets.apps': [
    NAME,
    ...COUNTS,
    AGE,
    ...containerColumns(TEMPLATE),
    selectorColumn('spec', 'selector'),
  ],
  'statefulsets.apps': [NAME, READY, AGE, ...containerColumns(TEMPLATE)],
  'jobs.batch': JOB_COLUMNS,
  'cronjobs.batch': CRON_JOB_COLUMNS,
  'horizontalpodautoscalers.autoscaling': AUTOSCALER_COLUMNS,
  'poddisruptionbudgets.policy': [
    NAME,
    column('Min Available', 'Pods that have to stay.', bound('minAvailable')),
    column('Max Unavailable', 'Pods that may be away.', bound('maxUnavailable')),
    count('Allowed Disruptions', 'Pods that may go now.', 'status', 'disruptionsAllowed'),
    AGE,
  ],
}
