import type { JsonObject } from '../../objects/types.ts'
import { at, objectAt, textAt } from '../json.ts'
import { always, eachOf, type Fill, fills, inside, values, where, withDefaults } from './filling.ts'
import { podSpecDefaults } from './pod-defaults.ts'
import { claimSpecDefaults } from './volume-defaults.ts'

// What the kinds that make pods get where they say nothing.

/** A pod template. */
const templateDefaults: Fill = inside(
  'template',
  always('metadata'),
  inside('spec', podSpecDefaults),
)

const REPLICAS = { replicas: 1 }
const HISTORY = { revisionHistoryLimit: 10 }

/** How pods are replaced, with the settings of a rolling update where it is one. */
function strategy(key: string, rolling: JsonObject): Fill {
  return always(
    key,
    values({ type: 'RollingUpdate' }),
    where((found) => found['type'] === 'RollingUpdate', always('rollingUpdate', values(rolling))),
  )
}

/** The labels of the pods stand for those of what makes them, and for its selector. */
const controllerLabels: Fill = (controller) => {
  const labels = at(controller, 'spec', 'template', 'metadata', 'labels')
  if (labels === undefined) return controller
  const isEmpty = (map: JsonObject): boolean => Object.keys(map).length === 0
  const spec = objectAt(controller, 'spec')
  const metadata = objectAt(controller, 'metadata')
  return {
    ...controller,
    metadata: isEmpty(objectAt(metadata, 'labels')) ? { ...metadata, labels } : metadata,
    spec: isEmpty(objectAt(spec, 'selector')) ? { ...spec, selector: labels } : spec,
  }
}

const claimTemplateDefaults: Fill = fills(
  values({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', status: { phase: 'Pending' } }),
  inside('spec', claimSpecDefaults),
)

const policyRuleDefaults: Fill = eachOf('onPodConditions', values({ status: 'True' }))

/** What a job gets, but for what is made of its uid; in a cron job only a part of it. */
const jobDefaults: Fill = fills(
  where(
    (spec) => spec['completions'] === undefined && spec['parallelism'] === undefined,
    values({ completions: 1 }),
  ),
  (spec) =>
    withDefaults(spec, {
      parallelism: 1,
      backoffLimit: spec['backoffLimitPerIndex'] === undefined ? 6 : 2_147_483_647,
      completionMode: 'NonIndexed',
      suspend: false,
      podReplacementPolicy:
        spec['podFailurePolicy'] === undefined ? 'TerminatingOrFailed' : 'Failed',
      manualSelector: false,
    }),
  inside('podFailurePolicy', eachOf('rules', policyRuleDefaults)),
  templateDefaults,
)

/** A job without labels of its own has those of its pods. */
const jobLabels: Fill = (job) => {
  const labels = at(job, 'spec', 'template', 'metadata', 'labels')
  const metadata = objectAt(job, 'metadata')
  return labels === undefined || Object.keys(objectAt(metadata, 'labels')).length > 0
    ? job
    : { ...job, metadata: { ...metadata, labels } }
}

/** A stateful set whose way of updating is not said gets a rolling one with its settings. */
const setStrategy: Fill = always(
  'updateStrategy',
  where((found) => textAt(found, 'type') === '', values({ rollingUpdate: {} })),
  values({ type: 'RollingUpdate' }),
  where(
    (found) => found['type'] === 'RollingUpdate',
    inside('rollingUpdate', values({ partition: 0 })),
  ),
)

/** What these kinds get where they say nothing, by resource id. */
export const WORKLOAD_DEFAULTS: Readonly<Record<string, Fill>> = {
  podtemplates: templateDefaults,
  replicationcontrollers: fills(
    controllerLabels,
    always('spec', values(REPLICAS), templateDefaults),
  ),
  'replicasets.apps': always('spec', values(REPLICAS), templateDefaults),
  'deployments.apps': always(
    'spec',
    values({ ...REPLICAS, ...HISTORY, progressDeadlineSeconds: 600 }),
    strategy('strategy', { maxUnavailable: '25%', maxSurge: '25%' }),
    templateDefaults,
  ),
  'daemonsets.apps': always(
    'spec',
    values(HISTORY),
    strategy('updateStrategy', { maxUnavailable: 1, maxSurge: 0 }),
    templateDefaults,
  ),
  'statefulsets.apps': always(
    'spec',
    values({ ...REPLICAS, ...HISTORY, podManagementPolicy: 'OrderedReady' }),
    setStrategy,
    always(
      'persistentVolumeClaimRetentionPolicy',
      values({ whenDeleted: 'Retain', whenScaled: 'Retain' }),
    ),
    eachOf('volumeClaimTemplates', claimTemplateDefaults),
    templateDefaults,
  ),
  'jobs.batch': fills(jobLabels, always('spec', jobDefaults)),
  'cronjobs.batch': always(
    'spec',
    values({
      concurrencyPolicy: 'Allow',
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    }),
    always('jobTemplate', always('metadata'), inside('spec', templateDefaults)),
  ),
}
