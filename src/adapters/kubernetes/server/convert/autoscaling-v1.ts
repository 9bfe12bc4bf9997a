import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { at, isList, isObject, listAt, numberAt, objectAt, textAt, withField } from '../json.ts'
import type { Conversion } from './conversion.ts'

/** Where autoscaling/v1 puts what it has no field for. */
const ANNOTATION = 'autoscaling.alpha.kubernetes.io'
const METRICS = `${ANNOTATION}/metrics`
const STATUSES = `${ANNOTATION}/current-metrics`
const CONDITIONS = `${ANNOTATION}/conditions`
const BEHAVIOR = `${ANNOTATION}/behavior`
const EXTRA: ReadonlySet<string> = new Set([METRICS, STATUSES, CONDITIONS, BEHAVIOR])

type Path = readonly string[]
type Pair = readonly [v1: Path, v2: Path]
const pair = (v1: string, v2: string): Pair => [[v1], v2.split('.')]

/** The fields of a metric, without those of its target: the name in v1 and the path in v2. */
const SOURCES: Readonly<Record<string, readonly Pair[]>> = {
  resource: [pair('name', 'name')],
  containerResource: [pair('name', 'name'), pair('container', 'container')],
  pods: [pair('metricName', 'metric.name'), pair('selector', 'metric.selector')],
  object: [
    pair('target', 'describedObject'),
    pair('metricName', 'metric.name'),
    pair('selector', 'metric.selector'),
  ],
  external: [pair('metricName', 'metric.name'), pair('metricSelector', 'metric.selector')],
}

/** The amounts of a metric: `target` in a specification, `current` in a status. */
function amounts(source: string, part: 'target' | 'current'): readonly Pair[] {
  if (source === 'object')
    return [pair(`${part}Value`, `${part}.value`), pair('averageValue', `${part}.averageValue`)]
  return [
    pair(`${part}Value`, `${part}.value`),
    pair(`${part}AverageValue`, `${part}.averageValue`),
    pair(`${part}AverageUtilization`, `${part}.averageUtilization`),
  ]
}

function moved(from: JsonObject, pairs: readonly (readonly [from: Path, to: Path])[]): JsonObject {
  let out: JsonObject = {}
  for (const [source, target] of pairs) {
    const value = at(from, ...source)
    if (value !== undefined && value !== null) out = withField(out, target, value)
  }
  return out
}

function metricToV1(metric: Json, part: 'target' | 'current'): JsonObject {
  const out: Record<string, Json> = { type: textAt(metric, 'type') }
  for (const [source, pairs] of Object.entries(SOURCES)) {
    const value = at(metric, source)
    if (!isObject(value)) continue
    const all = [...pairs, ...amounts(source, part)]
    out[source] = moved(
      value,
      all.map(([v1, v2]) => [v2, v1]),
    )
  }
  return out
}

function metricToV2(metric: Json, part: 'target' | 'current'): JsonObject {
  const out: Record<string, Json> = { type: textAt(metric, 'type') }
  for (const [source, pairs] of Object.entries(SOURCES)) {
    const value = at(metric, source)
    if (!isObject(value)) continue
    const found = moved(value, [...pairs, ...amounts(source, part)])
    out[source] = part === 'current' ? found : withField(found, ['target', 'type'], typeOf(found))
  }
  return out
}

function typeOf(metric: JsonObject): string {
  if (at(metric, 'target', 'averageUtilization') !== undefined) return 'Utilization'
  return at(metric, 'target', 'averageValue') === undefined ? 'Value' : 'AverageValue'
}

function isCpu(metric: Json): boolean {
  return textAt(metric, 'type') === 'Resource' && textAt(metric, 'resource', 'name') === 'cpu'
}

function fromKept(scaler: KubeObject): KubeObject {
  const { metrics: _m, behavior, ...spec } = objectAt(scaler, 'spec')
  const { currentMetrics: _c, conditions: _s, ...status } = objectAt(scaler, 'status')
  const hasCpu = (metric: Json): boolean =>
    isCpu(metric) && at(metric, 'resource', 'target', 'averageUtilization') !== undefined
  const metrics = listAt(scaler, 'spec', 'metrics')
  const statuses = listAt(scaler, 'status', 'currentMetrics')
  const conditions = listAt(scaler, 'status', 'conditions')
  // The last one counts, as Kubernetes has it.
  const cpu = metrics.findLast(hasCpu)
  const used = statuses.findLast(isCpu)
  const wanted = numberAt(cpu, 'resource', 'target', 'averageUtilization')
  const current = numberAt(used, 'resource', 'current', 'averageUtilization')
  const others = metrics.filter((metric) => !hasCpu(metric))
  const extra: Record<string, string> = {}
  if (others.length > 0)
    extra[METRICS] = JSON.stringify(others.map((metric) => metricToV1(metric, 'target')))
  if (statuses.length > 0)
    extra[STATUSES] = JSON.stringify(statuses.map((metric) => metricToV1(metric, 'current')))
  if (isObject(behavior)) extra[BEHAVIOR] = JSON.stringify(recased(behavior, 'toUpperCase'))
  if (conditions.length > 0) extra[CONDITIONS] = JSON.stringify(conditions)
  return {
    ...annotated(scaler, extra),
    apiVersion: 'autoscaling/v1',
    spec: { ...spec, ...(wanted === undefined ? {} : { targetCPUUtilizationPercentage: wanted }) },
    ...(scaler['status'] === undefined
      ? {}
      : {
          status: {
            // It is not left out here where there is none.
            currentReplicas: 0,
            ...status,
            ...(current === undefined ? {} : { currentCPUUtilizationPercentage: current }),
          },
        }),
  } as KubeObject
}

function toKept(scaler: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage: wanted, ...spec } = objectAt(scaler, 'spec')
  const { currentCPUUtilizationPercentage: current, ...status } = objectAt(scaler, 'status')
  const extra = (key: string): Json | undefined => parsed(scaler.metadata.annotations?.[key])
  const list = (key: string): readonly Json[] => {
    const found = extra(key)
    return isList(found) ? found : []
  }
  const metrics = list(METRICS).map((metric) => metricToV2(metric, 'target'))
  if (typeof wanted === 'number') {
    const target = { type: 'Utilization', averageUtilization: wanted }
    metrics.push({ type: 'Resource', resource: { name: 'cpu', target } })
  }
  const statuses = list(STATUSES).map((metric) => metricToV2(metric, 'current'))
  if (statuses.length === 0 && typeof current === 'number') {
    const resource = { name: 'cpu', current: { averageUtilization: current } }
    statuses.push({ type: 'Resource', resource })
  }
  const conditions = list(CONDITIONS)
  const behavior = extra(BEHAVIOR)
  return {
    ...annotated(scaler, {}),
    apiVersion: 'autoscaling/v2',
    spec: {
      ...spec,
      ...(metrics.length === 0 ? {} : { metrics }),
      ...(isObject(behavior) ? { behavior: recased(behavior, 'toLowerCase') } : {}),
    },
    ...(scaler['status'] === undefined
      ? {}
      : {
          status: {
            ...status,
            ...(statuses.length === 0 ? {} : { currentMetrics: statuses }),
            ...(conditions.length === 0 ? {} : { conditions }),
          },
        }),
  } as KubeObject
}

/** With these annotations in place of those that carry what has no field. */
function annotated(scaler: KubeObject, extra: Readonly<Record<string, string>>): KubeObject {
  const own = Object.entries(scaler.metadata.annotations ?? {}).filter(([key]) => !EXTRA.has(key))
  const annotations = { ...Object.fromEntries(own), ...extra }
  const { annotations: _, ...metadata } = scaler.metadata
  const isEmpty = Object.keys(annotations).length === 0
  return {
    ...scaler,
    metadata: isEmpty ? metadata : { ...metadata, annotations },
  } as unknown as KubeObject
}

function parsed(text: string | undefined): Json | undefined {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as Json
  } catch {
    // Anybody may write an annotation; one that says nothing is as good as none.
    return undefined
  }
}

/** The behaviour is written with the names of Go fields, which begin with a capital letter. */
function recased(value: Json, first: 'toUpperCase' | 'toLowerCase'): Json {
  if (isList(value)) return value.map((item) => recased(item, first))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) =>
      item === undefined || item === null
        ? []
        : [[`${key.slice(0, 1)[first]()}${key.slice(1)}`, recased(item, first)]],
    ),
  )
}

/** Autoscalers as autoscaling/v1 shows them; they are kept as autoscaling/v2 does. */
export const autoscalingV1: Conversion = { toKept, fromKept, fields: {} }
