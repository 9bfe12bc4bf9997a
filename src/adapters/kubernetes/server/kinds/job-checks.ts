import { selects } from '../../objects/label-selector.ts'
import type { Json, JsonObject } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt, textAt, withField } from '../json.ts'
import { type Cause, duplicate, invalidValue, notSupported, required } from './checks.ts'
import { scheduleProblem, timeZoneProblem } from './cron-schedule.ts'
import { checkLabels, checkQualifiedName } from './names.ts'
import {
  all,
  type Check,
  each,
  field,
  fixed,
  given,
  min,
  neededOneOf,
  oneOf,
  type UpdateCheck,
} from './rules.ts'
import { isEmptySelector, selectorCheck } from './selector-checks.ts'
import { templateCheck } from './workload-checks.ts'

// What jobs and cron jobs have to look like.

/** The labels by which the pods of a job are told from those of another. */
export const JOB_UID_LABEL = 'batch.kubernetes.io/controller-uid'
const PARALLELISM_INDEXED_MAX = 100_000

const restartPolicy: Check = (path, spec) => {
  const policy = at(spec, 'template', 'spec', 'restartPolicy')
  const place = `${path}.template.spec.restartPolicy`
  if (policy === undefined || policy === '' || policy === 'Always')
    return [required(place, 'valid values: "OnFailure", "Never"')]
  if (policy !== 'OnFailure' && policy !== 'Never')
    return [notSupported(place, policy, ['OnFailure', 'Never'])]
  return at(spec, 'podFailurePolicy') !== undefined && policy !== 'Never'
    ? [invalidValue(place, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    : []
}

const completionMode: Check = (path, spec) => {
  const isIndexed = at(spec, 'completionMode') === 'Indexed'
  const completions = at(spec, 'completions')
  const parallelism = at(spec, 'parallelism')
  const failed = at(spec, 'maxFailedIndexes')
  const perIndex = at(spec, 'backoffLimitPerIndex')
  if (!isIndexed) {
    const text = 'requires indexed completion mode'
    return Object.entries({ backoffLimitPerIndex: perIndex, maxFailedIndexes: failed }).flatMap(
      ([name, value]) =>
        value === undefined ? [] : [invalidValue(`${path}.${name}`, value, text)],
    )
  }
  return [
    ...(completions === undefined
      ? [required(`${path}.completions`, 'when completion mode is Indexed')]
      : []),
    ...(typeof parallelism === 'number' && parallelism > PARALLELISM_INDEXED_MAX
      ? [
          invalidValue(
            `${path}.parallelism`,
            parallelism,
            `must be less than or equal to ${PARALLELISM_INDEXED_MAX} when completion mode is Indexed`,
          ),
        ]
      : []),
    ...(typeof failed === 'number' && typeof completions === 'number' && failed > completions
      ? [
          invalidValue(
            `${path}.maxFailedIndexes`,
            failed,
            'must be less than or equal to completions',
          ),
        ]
      : []),
  ]
}

const exitCodes: Check = (path, value) => {
  const values = listAt(value, 'values')
  const isOrdered = values.every(
    (code, index) => index === 0 || Number(values[index - 1]) <= Number(code),
  )
  return [
    ...(textAt(value, 'operator') === ''
      ? [required(`${path}.operator`, 'valid values: ["In" "NotIn"]')]
      : oneOf('In', 'NotIn')(`${path}.operator`, at(value, 'operator'))),
    ...(values.length === 0
      ? [invalidValue(`${path}.values`, values, 'at least one value is required')]
      : []),
    ...values.flatMap((code, index) => [
      ...(code === 0 && textAt(value, 'operator') === 'In'
        ? [invalidValue(`${path}.values[${index}]`, code, 'must not be 0 for the In operator')]
        : []),
      ...(values.indexOf(code) < index ? [duplicate(`${path}.values[${index}]`, code)] : []),
    ]),
    ...(isOrdered ? [] : [invalidValue(`${path}.values`, values, 'must be ordered')]),
  ]
}

const failureRule: (spec: Json | undefined) => Check = (spec) => (path, rule) => {
  const action = textAt(rule, 'action')
  const isPerIndex = at(spec, 'backoffLimitPerIndex') !== undefined
  return [
    ...(action === 'FailIndex' && !isPerIndex
      ? [invalidValue(`${path}.action`, action, 'requires the backoffLimitPerIndex to be set')]
      : neededOneOf('Count', 'FailIndex', 'FailJob', 'Ignore')(`${path}.action`, action)),
    ...given('onExitCodes', exitCodes)(path, rule),
    ...each('onPodConditions', (place, pattern) => [
      ...checkQualifiedName(`${place}.type`, textAt(pattern, 'type')),
      ...oneOf('False', 'True', 'Unknown')(`${place}.status`, at(pattern, 'status')),
    ])(path, rule),
  ]
}

const failurePolicy: Check = (path, spec) =>
  given('podFailurePolicy', each('rules', failureRule(spec)))(path, spec)

const replacementPolicy: Check = (path, spec) => {
  const isFailing = at(spec, 'podFailurePolicy') !== undefined
  const allowed = isFailing ? ['Failed'] : ['Failed', 'TerminatingOrFailed']
  return field('podReplacementPolicy', oneOf(...allowed))(path, spec)
}

/** The spec of a job without its selector, as it is in a cron job too. */
const jobSpec: Check = all(
  field('parallelism', min(0)),
  field('completions', min(0)),
  field('activeDeadlineSeconds', min(0)),
  field('backoffLimit', min(0)),
  field('ttlSecondsAfterFinished', min(0)),
  field('backoffLimitPerIndex', min(0)),
  field('maxFailedIndexes', min(0)),
  field('completionMode', oneOf('NonIndexed', 'Indexed')),
  completionMode,
  failurePolicy,
  replacementPolicy,
  field('template', templateCheck),
  restartPolicy,
)

const jobSelector: Check = (path, spec) => {
  const selector = at(spec, 'selector')
  const labels = objectAt(spec, 'template', 'metadata', 'labels')
  const text = '`selector` does not match template `labels`'
  return [
    ...(selector === undefined
      ? [required(`${path}.selector`)]
      : selectorCheck(`${path}.selector`, selector)),
    ...(isEmptySelector(selector) || selects(selector, labels)
      ? []
      : [invalidValue(`${path}.template.metadata.labels`, labels, text)]),
  ]
}

/** Unless it is said otherwise, the selector of a job is made by the server and nobody else. */
const generatedSelector: Check = (_path, job) => {
  const selector = at(job, 'spec', 'selector')
  const isGenerated =
    isObject(selector) &&
    Object.keys(objectAt(selector, 'matchLabels')).length === 1 &&
    listAt(selector, 'matchExpressions').length === 0 &&
    at(selector, 'matchLabels', JOB_UID_LABEL) !== undefined
  return isGenerated || at(job, 'spec', 'manualSelector') === true
    ? []
    : [invalidValue('spec.selector', selector, '`selector` not auto-generated')]
}

const schedule: Check = (path, value) => {
  if (typeof value !== 'string' || value === '') return [required(path)]
  const problem = scheduleProblem(value)
  return [
    ...(problem === undefined ? [] : [invalidValue(path, value, problem)]),
    ...(value.includes('TZ')
      ? [
          invalidValue(
            path,
            value,
            'cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
          ),
        ]
      : []),
  ]
}

const timeZone: Check = (path, value) => {
  const problem = typeof value === 'string' ? timeZoneProblem(value) : undefined
  return problem === undefined ? [] : [invalidValue(path, value, problem)]
}

/** A job has a suffix of eleven characters behind the name of its cron job. */
const CRON_NAME_CHARACTERS_MAX = 52

const cronName: Check = (path, value) =>
  typeof value === 'string' && value.length > CRON_NAME_CHARACTERS_MAX
    ? [invalidValue(path, value, `must be no more than ${CRON_NAME_CHARACTERS_MAX} characters`)]
    : []

/** The checks of these kinds, by resource id. */
export const JOB_CHECKS: Readonly<Record<string, Check>> = {
  'jobs.batch': all(generatedSelector, field('spec', jobSpec, jobSelector)),
  'cronjobs.batch': all(
    field(
      'spec',
      field('schedule', schedule),
      field('startingDeadlineSeconds', min(0)),
      field('timeZone', timeZone),
      field('concurrencyPolicy', neededOneOf('Allow', 'Forbid', 'Replace')),
      field(
        'jobTemplate',
        (path, template) => checkLabels(`${path}.labels`, at(template, 'metadata', 'labels')),
        field('spec', jobSpec),
      ),
      field('successfulJobsHistoryLimit', min(0)),
      field('failedJobsHistoryLimit', min(0)),
    ),
    field('metadata', field('name', cronName)),
  ),
}

/** Indexed jobs whose completions follow their parallelism may change both. */
function completionsUpdate(before: JsonObject, after: JsonObject): readonly Cause[] {
  const isElastic =
    at(after, 'spec', 'completionMode') === 'Indexed' &&
    at(before, 'spec', 'completions') === at(before, 'spec', 'parallelism') &&
    at(after, 'spec', 'completions') === at(after, 'spec', 'parallelism')
  return isElastic ? [] : fixed('spec.completions')(before, after)
}

/** What may change in the template of a job that is suspended and has not begun. */
const DIRECTIVES: readonly (readonly string[])[] = [
  ['metadata', 'labels'],
  ['metadata', 'annotations'],
  ['spec', 'nodeSelector'],
  ['spec', 'tolerations'],
  ['spec', 'affinity', 'nodeAffinity'],
  ['spec', 'schedulingGates'],
]

function templateUpdate(before: JsonObject, after: JsonObject): readonly Cause[] {
  const hasBegun =
    at(before, 'spec', 'suspend') !== true || at(before, 'status', 'startTime') !== undefined
  if (hasBegun) return fixed('spec.template')(before, after)
  const stripped = (job: JsonObject): JsonObject =>
    DIRECTIVES.reduce(
      (template, path) => withField(template, path, undefined),
      objectAt(job, 'spec', 'template'),
    )
  const wrap = (job: JsonObject): JsonObject => ({ spec: { template: stripped(job) } })
  return fixed('spec.template')(wrap(before), wrap(after))
}

/** What updates of these kinds may not change, by resource id. */
export const JOB_UPDATES: Readonly<Record<string, readonly UpdateCheck[]>> = {
  'jobs.batch': [
    completionsUpdate,
    fixed('spec.selector'),
    templateUpdate,
    fixed('spec.completionMode'),
    fixed('spec.podFailurePolicy'),
    fixed('spec.backoffLimitPerIndex'),
    fixed('spec.managedBy'),
    fixed('spec.successPolicy'),
  ],
}
