import type { Json, JsonObject } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt, sameJson, textAt } from '../json.ts'
import { portNameProblems } from './address-checks.ts'
import {
  type Cause,
  checkOneOf,
  checkRange,
  checkResources,
  checkUnique,
  duplicate,
  forbiddenField,
  invalidValue,
  notFoundValue,
  required,
} from './checks.ts'
import { checkLabels, checkName } from './names.ts'
import { podLevelCauses } from './pod-level-resources.ts'
import { containerPartsCheck, hostPortCauses, podPartsCheck } from './pod-parts-checks.ts'
import { restartCauses } from './restart-checks.ts'

const MAX = Number.MAX_SAFE_INTEGER
const PROBE_ACTIONS = ['exec', 'httpGet', 'tcpSocket', 'grpc'] as const

function checkProbe(field: string, probe: Json | undefined): readonly Cause[] {
  if (!isObject(probe)) return []
  const actions = PROBE_ACTIONS.filter((action) => probe[action] !== undefined)
  return [
    ...(actions.length === 0 ? [required(field, 'must specify a handler type')] : []),
    ...actions
      .slice(1)
      .map((action) =>
        forbiddenField(`${field}.${action}`, 'may not specify more than 1 handler type'),
      ),
    ...[
      'initialDelaySeconds',
      'timeoutSeconds',
      'periodSeconds',
      'successThreshold',
      'failureThreshold',
    ].flatMap((key) => checkRange(`${field}.${key}`, probe[key], 0, MAX)),
  ]
}

/** What is wrong with a container, whose mounts are of these volumes. */
export function checkContainer(
  field: string,
  container: JsonObject,
  volumes: ReadonlySet<string>,
): readonly Cause[] {
  const ports = listAt(container, 'ports')
  const mounts = listAt(container, 'volumeMounts')
  return [
    ...checkName(`${field}.name`, container['name'], 'label'),
    ...(textAt(container, 'image').trim() === '' ? [required(`${field}.image`)] : []),
    ...checkOneOf(`${field}.imagePullPolicy`, container['imagePullPolicy'], [
      'Always',
      'IfNotPresent',
      'Never',
    ]),
    ...checkOneOf(`${field}.terminationMessagePolicy`, container['terminationMessagePolicy'], [
      'File',
      'FallbackToLogsOnError',
    ]),
    ...ports.flatMap((port, index) => checkPort(`${field}.ports[${index}]`, port)),
    ...checkUnique(
      `${field}.ports`,
      ports.map((port) => at(port, 'name')),
      'name',
    ),
    ...listAt(container, 'env').flatMap((entry, index) =>
      checkEnv(`${field}.env[${index}]`, entry),
    ),
    ...listAt(container, 'envFrom').flatMap((entry, index) => {
      const sources = ['configMapRef', 'secretRef'].filter((key) => at(entry, key) !== undefined)
      return sources.length === 1
        ? []
        : [
            invalidValue(
              `${field}.envFrom[${index}]`,
              '',
              'must specify one of: `configMapRef` or `secretRef`',
            ),
          ]
    }),
    ...mounts.flatMap((mount, index) =>
      checkMount(`${field}.volumeMounts[${index}]`, mount, volumes),
    ),
    ...checkMountPaths(`${field}.volumeMounts`, mounts),
    ...checkResources(`${field}.resources`, container['resources']),
    ...hostPortCauses(`${field}.ports`, ports),
    ...containerPartsCheck(field, container),
    ...['livenessProbe', 'readinessProbe', 'startupProbe'].flatMap((key) =>
      checkProbe(`${field}.${key}`, container[key]),
    ),
  ]
}

function checkPort(field: string, port: Json): readonly Cause[] {
  const number = at(port, 'containerPort')
  return [
    ...portName(field, textAt(port, 'name')),
    ...(number === undefined || number === 0
      ? [required(`${field}.containerPort`)]
      : checkRange(`${field}.containerPort`, number, 1, 65535)),
    ...checkRange(`${field}.hostPort`, at(port, 'hostPort'), 0, 65535),
    ...checkOneOf(`${field}.protocol`, at(port, 'protocol'), ['SCTP', 'TCP', 'UDP']),
  ]
}

function portName(field: string, name: string): readonly Cause[] {
  return name === ''
    ? []
    : portNameProblems(name).map((text) => invalidValue(`${field}.name`, name, text))
}

const ENV_SOURCES = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef'] as const

function checkEnv(field: string, entry: Json): readonly Cause[] {
  const name = textAt(entry, 'name')
  const from = at(entry, 'valueFrom')
  const causes: Cause[] = []
  if (name === '') causes.push(required(`${field}.name`))
  else if (!/^[ -~]+$/.test(name) || name.includes('=')) {
    causes.push(
      invalidValue(
        `${field}.name`,
        name,
        "a valid environment variable name must consist only of printable ASCII characters other than '='",
      ),
    )
  }
  if (!isObject(from)) return causes
  if (textAt(entry, 'value') !== '')
    causes.push(
      invalidValue(`${field}.valueFrom`, '', 'may not be specified when `value` is not empty'),
    )
  const sources = ENV_SOURCES.filter((key) => from[key] !== undefined)
  if (sources.length === 0)
    causes.push(
      invalidValue(
        `${field}.valueFrom`,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`',
      ),
    )
  if (sources.length > 1)
    causes.push(
      invalidValue(
        `${field}.valueFrom`,
        '',
        'may not have more than one field specified at a time',
      ),
    )
  for (const key of ['configMapKeyRef', 'secretKeyRef']) {
    if (isObject(from[key]) && textAt(from, key, 'key') === '')
      causes.push(required(`${field}.valueFrom.${key}.key`))
  }
  if (isObject(from['fieldRef']) && textAt(from, 'fieldRef', 'fieldPath') === '') {
    causes.push(required(`${field}.valueFrom.fieldRef.fieldPath`))
  }
  return causes
}

function checkMount(field: string, mount: Json, volumes: ReadonlySet<string>): readonly Cause[] {
  const name = textAt(mount, 'name')
  return [
    ...(name === ''
      ? [required(`${field}.name`)]
      : volumes.has(name)
        ? []
        : [notFoundValue(`${field}.name`, name)]),
    ...(textAt(mount, 'mountPath') === '' ? [required(`${field}.mountPath`)] : []),
    ...(textAt(mount, 'subPath').split('/').includes('..')
      ? [invalidValue(`${field}.subPath`, textAt(mount, 'subPath'), "must not contain '..'")]
      : []),
  ]
}

function checkVolume(field: string, volume: Json): readonly Cause[] {
  const sources = Object.keys(isObject(volume) ? volume : {}).filter((key) => key !== 'name')
  const causes = [...checkName(`${field}.name`, at(volume, 'name'), 'label')]
  if (sources.length === 0) causes.push(required(field, 'must specify a volume type'))
  for (const extra of sources.slice(1))
    causes.push(forbiddenField(`${field}.${extra}`, 'may not specify more than 1 volume type'))
  const needs = (...path: readonly [string, string]): void => {
    if (at(volume, path[0]) !== undefined && textAt(volume, ...path) === '')
      causes.push(required(`${field}.${path.join('.')}`))
  }
  needs('hostPath', 'path')
  needs('configMap', 'name')
  needs('secret', 'secretName')
  needs('persistentVolumeClaim', 'claimName')
  return causes
}

/** The name of a volume counts as taken once the volume has no mistake. */
function checkVolumes(field: string, volumes: readonly Json[]): readonly Cause[] {
  const taken = new Set<string>()
  return volumes.flatMap((volume, index) => {
    const name = textAt(volume, 'name')
    const causes = checkVolume(`${field}[${index}]`, volume)
    if (taken.has(name)) return [...causes, duplicate(`${field}[${index}].name`, name)]
    if (causes.length === 0) taken.add(name)
    return causes
  })
}

/** What is wrong with a toleration. */
export function checkToleration(field: string, toleration: Json | undefined): readonly Cause[] {
  const operator = textAt(toleration, 'operator')
  const key = textAt(toleration, 'key')
  return [
    ...checkOneOf(`${field}.operator`, operator === '' ? 'Equal' : operator, ['Equal', 'Exists']),
    ...(key === '' && operator !== 'Exists'
      ? [
          invalidValue(
            `${field}.operator`,
            operator,
            'operator must be Exists when `key` is empty, which means "match all values and all keys"',
          ),
        ]
      : []),
    ...checkOneOf(
      `${field}.effect`,
      textAt(toleration, 'effect') === '' ? 'NoSchedule' : at(toleration, 'effect'),
      ['NoSchedule', 'PreferNoSchedule', 'NoExecute'],
    ),
  ]
}

function checkMountPaths(field: string, mounts: readonly Json[]): readonly Cause[] {
  const seen = new Set<string>()
  return mounts.flatMap((mount, index) => {
    const path = textAt(mount, 'mountPath')
    if (!seen.has(path)) {
      seen.add(path)
      return []
    }
    return [invalidValue(`${field}[${index}].mountPath`, path, 'must be unique')]
  })
}

/** What is wrong with a pod spec, also one in a template. */
export function checkPodSpec(field: string, spec: JsonObject): readonly Cause[] {
  const volumes = listAt(spec, 'volumes')
  const names = new Set(volumes.map((volume) => textAt(volume, 'name')))
  const lists = ['containers', 'initContainers'] as const
  const containers = lists.flatMap((list) =>
    listAt(spec, list).map((item, index) => ({
      ...{ item, place: `${field}.${list}[${index}]` },
      isInit: list === 'initContainers',
    })),
  )
  const seen = new Set<string>()
  const repeated = containers.flatMap(({ item, place }): Cause[] => {
    const name = textAt(item, 'name')
    const isRepeated = name !== '' && seen.has(name)
    seen.add(name)
    return isRepeated
      ? [
          {
            reason: 'FieldValueDuplicate',
            field: `${place}.name`,
            message: `Duplicate value: ${JSON.stringify(name)}`,
          },
        ]
      : []
  })
  return [
    ...checkVolumes(`${field}.volumes`, volumes),
    ...(listAt(spec, 'containers').length === 0 ? [required(`${field}.containers`)] : []),
    ...containers.flatMap(({ item, place, isInit }) => [
      ...checkContainer(place, isObject(item) ? item : {}, names),
      ...restartCauses(place, item, isInit),
    ]),
    ...repeated,
    ...checkOneOf(`${field}.restartPolicy`, spec['restartPolicy'], [
      'Always',
      'OnFailure',
      'Never',
    ]),
    ...checkOneOf(`${field}.dnsPolicy`, spec['dnsPolicy'], [
      'ClusterFirstWithHostNet',
      'ClusterFirst',
      'Default',
      'None',
    ]),
    ...checkRange(`${field}.activeDeadlineSeconds`, spec['activeDeadlineSeconds'], 1, 2 ** 31 - 1),
    ...checkLabels(`${field}.nodeSelector`, spec['nodeSelector']),
    ...(spec['nodeName'] === undefined
      ? []
      : checkName(`${field}.nodeName`, spec['nodeName'], 'subdomain')),
    ...(spec['hostname'] === undefined
      ? []
      : checkName(`${field}.hostname`, spec['hostname'], 'label')),
    ...(spec['serviceAccountName'] === undefined
      ? []
      : checkName(`${field}.serviceAccountName`, spec['serviceAccountName'], 'subdomain')),
    ...podLevelCauses(field, spec),
    ...podPartsCheck(field, spec),
    ...listAt(spec, 'tolerations').flatMap((item, index) =>
      checkToleration(`${field}.tolerations[${index}]`, item),
    ),
  ]
}

/** What is left of a pod spec when everything that may change is taken out. */
function fixedPart(spec: JsonObject): JsonObject {
  const withoutImage = (item: Json): Json => {
    if (!isObject(item)) return item
    const { image: _i, ...rest } = item
    return rest
  }
  const {
    activeDeadlineSeconds: _a,
    tolerations: _t,
    containers,
    initContainers,
    schedulingGates: _s,
    ...rest
  } = spec
  return {
    ...rest,
    containers: Array.isArray(containers) ? containers.map(withoutImage) : undefined,
    initContainers: Array.isArray(initContainers) ? initContainers.map(withoutImage) : undefined,
  }
}

const POD_UPDATE =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

/** What an update changes that it may not. */
export function checkPodUpdate(before: JsonObject, after: JsonObject): readonly Cause[] {
  const was = objectAt(before, 'spec')
  const is = objectAt(after, 'spec')
  const tolerations = listAt(is, 'tolerations')
  const hasLost = listAt(was, 'tolerations').some(
    (item) => !tolerations.some((other) => sameJson(item, other)),
  )
  const isFixedKept = sameJson(fixedPart(was), fixedPart(is))
  return isFixedKept && !hasLost
    ? []
    : [forbiddenField(hasLost && isFixedKept ? 'spec.tolerations' : 'spec', POD_UPDATE)]
}
