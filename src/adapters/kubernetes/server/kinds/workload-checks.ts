import { selects } from '../../objects/label-selector.ts'
import type { Json, JsonObject } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt, textAt } from '../json.ts'
import { type Cause, forbiddenField, invalidValue, notSupported, required } from './checks.ts'
import { checkLabels, patternText } from './names.ts'
import { checkPodSpec } from './pod-validate.ts'
import {
  all,
  type Check,
  field,
  fixed,
  given,
  min,
  needed,
  oneOf,
  sameValue,
  type UpdateCheck,
} from './rules.ts'
import { templateSelectorCauses } from './selector-checks.ts'

// What the kinds that make pods have to look like.

const PERCENT = /^[0-9]+%$/
const PERCENT_TEXT = patternText(
  "a valid percent string must be a numeric string followed by an ending '%'",
  '[0-9]+%',
  '1%',
  '93%',
)

/** A count or a percentage, where there is one. */
export const countOrPercent: Check = (path, value) =>
  typeof value === 'string'
    ? PERCENT.test(value)
      ? []
      : [invalidValue(path, value, PERCENT_TEXT)]
    : min(0)(path, value)

/** A percentage, where it is one, is at most 100 %. */
export const atMostAll: Check = (path, value) =>
  typeof value === 'string' && PERCENT.test(value) && Number.parseInt(value, 10) > 100
    ? [invalidValue(path, value, 'must not be greater than 100%')]
    : []

function isNone(value: Json | undefined): boolean {
  return value === 0 || (typeof value === 'string' && /^0+%$/.test(value))
}

/** A pod template: its labels and its spec. */
export const templateCheck: Check = (path, template) => [
  ...checkLabels(`${path}.labels`, at(template, 'metadata', 'labels')),
  ...checkPodSpec(`${path}.spec`, objectAt(template, 'spec')),
  ...(listAt(template, 'spec', 'ephemeralContainers').length === 0
    ? []
    : [
        forbiddenField(
          `${path}.spec.ephemeralContainers`,
          'ephemeral containers not allowed in pod template',
        ),
      ]),
]

/** The restart policy of a template of pods that are kept running. */
const restartedCheck: Check = field(
  'template',
  field('spec', field('restartPolicy', oneOf('Always'))),
)

function selectorAndTemplate(kind: string): Check {
  return (path, spec) => {
    const isSpec = isObject(spec) ? spec : {}
    const found = templateSelectorCauses(path, isSpec, `empty selector is invalid for ${kind}`)
    // Of daemon sets it is only said that one that is not there selects nothing.
    const isUnsaid = kind === 'daemonset' && isSpec['selector'] === undefined
    const causes = isUnsaid ? found.slice(1) : found
    const isUnreadable = causes.some((cause) => cause.message.endsWith('invalid label selector'))
    return isUnreadable
      ? causes
      : [
          ...causes,
          ...templateCheck(`${path}.template`, isSpec['template']),
          ...restartedCheck(path, spec),
        ]
  }
}

const deploymentStrategy: Check = (path, strategy) => {
  const type = textAt(strategy, 'type')
  const rolling = at(strategy, 'rollingUpdate')
  if (type === 'Recreate') {
    const text = "may not be specified when strategy `type` is 'Recreate'"
    return rolling === undefined ? [] : [forbiddenField(`${path}.rollingUpdate`, text)]
  }
  if (type !== 'RollingUpdate')
    return [notSupported(path, { Type: type, RollingUpdate: null }, ['Recreate', 'RollingUpdate'])]
  const unavailable = at(rolling, 'maxUnavailable')
  const place = `${path}.rollingUpdate`
  return [
    ...countOrPercent(`${place}.maxUnavailable`, unavailable),
    ...countOrPercent(`${place}.maxSurge`, at(rolling, 'maxSurge')),
    ...(isNone(unavailable) && isNone(at(rolling, 'maxSurge'))
      ? [invalidValue(`${place}.maxUnavailable`, unavailable, 'may not be 0 when `maxSurge` is 0')]
      : []),
    ...atMostAll(`${place}.maxUnavailable`, unavailable),
  ]
}

const daemonStrategy: Check = (path, strategy) => {
  const type = textAt(strategy, 'type')
  if (type === 'OnDelete') return []
  if (type !== 'RollingUpdate')
    return [notSupported(path, { Type: type, RollingUpdate: null }, ['RollingUpdate', 'OnDelete'])]
  const unavailable = at(strategy, 'rollingUpdate', 'maxUnavailable')
  const surge = at(strategy, 'rollingUpdate', 'maxSurge')
  const place = `${path}.rollingUpdate`
  return [
    ...[countOrPercent, atMostAll].flatMap((check) =>
      check(`${place}.maxUnavailable`, unavailable),
    ),
    ...[countOrPercent, atMostAll].flatMap((check) => check(`${place}.maxSurge`, surge)),
    ...(isNone(unavailable) || isNone(surge)
      ? []
      : [
          invalidValue(
            `${place}.maxSurge`,
            surge,
            'may not be set when maxUnavailable is non-zero',
          ),
        ]),
    ...(isNone(unavailable) && isNone(surge)
      ? [invalidValue(`${place}.maxUnavailable`, unavailable, 'cannot be 0 when maxSurge is 0')]
      : []),
  ]
}

const setStrategy: Check = (path, strategy) => {
  const type = textAt(strategy, 'type')
  const rolling = at(strategy, 'rollingUpdate')
  if (type === 'RollingUpdate') {
    return given(
      'rollingUpdate',
      field('partition', min(0)),
      field('maxUnavailable', countOrPercent, atMostAll),
    )(path, strategy)
  }
  if (type !== 'OnDelete') {
    const shown = { Type: type, RollingUpdate: null }
    return [invalidValue(path, shown, "must be 'RollingUpdate' or 'OnDelete'")]
  }
  if (rolling === undefined) return []
  const shown = {
    Partition: at(rolling, 'partition') ?? 0,
    MaxUnavailable: at(rolling, 'maxUnavailable') ?? null,
  }
  const text = "only allowed for updateStrategy 'RollingUpdate'"
  return [invalidValue(`${path}.rollingUpdate`, shown, text)]
}

const managementPolicy: Check = (path, value) =>
  value === 'OrderedReady' || value === 'Parallel'
    ? []
    : [invalidValue(path, value, "must be 'OrderedReady' or 'Parallel'")]

const daemonDeadline: Check = field(
  'template',
  field(
    'spec',
    given('activeDeadlineSeconds', (path) => [
      forbiddenField(path, 'activeDeadlineSeconds in DaemonSet is not Supported'),
    ]),
  ),
)

/** The template selector of a replication controller: a plain map of labels. */
const controllerTemplate: Check = (path, spec) => {
  const labels = objectAt(spec, 'template', 'metadata', 'labels')
  const selector = objectAt(spec, 'selector')
  const isMatched = Object.keys(selector).length === 0 || selects({ matchLabels: selector }, labels)
  const text = '`selector` does not match template `labels`'
  return [
    ...(isMatched ? [] : [invalidValue(`${path}.template.metadata.labels`, labels, text)]),
    ...(at(spec, 'template') === undefined
      ? [required(`${path}.template`)]
      : templateCheck(`${path}.template`, at(spec, 'template'))),
    ...(at(spec, 'template') === undefined ? [] : restartedCheck(path, spec)),
  ]
}

const neededMap: Check = (path, value) =>
  isObject(value) && Object.keys(value).length > 0 ? [] : needed()(path, undefined)

const progress: Check = (path, spec) => {
  const deadline = at(spec, 'progressDeadlineSeconds')
  const ready = at(spec, 'minReadySeconds') ?? 0
  return [
    ...min(0)(`${path}.progressDeadlineSeconds`, deadline),
    ...(typeof deadline === 'number' && typeof ready === 'number' && deadline <= ready
      ? [
          invalidValue(
            `${path}.progressDeadlineSeconds`,
            deadline,
            'must be greater than minReadySeconds',
          ),
        ]
      : []),
  ]
}

/** The checks of these kinds, by resource id. */
export const WORKLOAD_CHECKS: Readonly<Record<string, Check>> = {
  'deployments.apps': field(
    'spec',
    field('replicas', min(0)),
    selectorAndTemplate('deployment'),
    field('strategy', deploymentStrategy),
    field('minReadySeconds', min(0)),
    field('revisionHistoryLimit', min(0)),
    progress,
  ),
  'replicasets.apps': field(
    'spec',
    field('replicas', min(0)),
    field('minReadySeconds', min(0)),
    selectorAndTemplate('replicaset'),
  ),
  'daemonsets.apps': field(
    'spec',
    selectorAndTemplate('daemonset'),
    daemonDeadline,
    field('minReadySeconds', min(0)),
    field('updateStrategy', daemonStrategy),
    field('revisionHistoryLimit', min(0)),
  ),
  'statefulsets.apps': field(
    'spec',
    field('podManagementPolicy', managementPolicy),
    field('updateStrategy', setStrategy),
    given(
      'persistentVolumeClaimRetentionPolicy',
      field('whenDeleted', oneOf('Retain', 'Delete')),
      field('whenScaled', oneOf('Retain', 'Delete')),
    ),
    field('replicas', min(0)),
    field('minReadySeconds', min(0)),
    given('ordinals', field('start', min(0))),
    selectorAndTemplate('statefulset'),
  ),
  'controllerrevisions.apps': all(
    field('revision', min(0)),
    field('data', needed('data is mandatory')),
  ),
  replicationcontrollers: field(
    'spec',
    field('selector', neededMap),
    field('minReadySeconds', min(0)),
    field('replicas', min(0)),
    controllerTemplate,
  ),
  podtemplates: field('template', templateCheck),
}

/** What an update of a stateful set may change. */
const SET_CHANGEABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const

function restOfSet(set: JsonObject): JsonObject {
  const { ...rest }: Record<string, Json | undefined> = objectAt(set, 'spec')
  for (const name of SET_CHANGEABLE) delete rest[name]
  // Of what kind a claim is, and that it waits, is filled in.
  const claims = listAt(set, 'spec', 'volumeClaimTemplates').map((claim) => ({
    metadata: at(claim, 'metadata'),
    spec: at(claim, 'spec'),
  }))
  return { ...rest, volumeClaimTemplates: claims }
}

function setUpdate(before: JsonObject, after: JsonObject): readonly Cause[] {
  const listed = SET_CHANGEABLE.map((name) => `'${name}'`)
  const text = `updates to statefulset spec for fields other than ${listed.slice(0, -1).join(', ')} and ${listed.at(-1)} are forbidden`
  return sameValue(restOfSet(before), restOfSet(after)) ? [] : [forbiddenField('spec', text)]
}

/** What updates of these kinds may not change, by resource id. */
export const WORKLOAD_UPDATES: Readonly<Record<string, readonly UpdateCheck[]>> = {
  'deployments.apps': [fixed('spec.selector')],
  'replicasets.apps': [fixed('spec.selector')],
  'daemonsets.apps': [fixed('spec.selector')],
  'statefulsets.apps': [setUpdate],
  'controllerrevisions.apps': [fixed('data')],
}
