import { mapAt } from '../../objects/read.ts'
import type { Json, JsonObject } from '../../objects/types.ts'
import { at, isList, isObject, numberAt, textAt } from '../json.ts'
import { type Cause, invalidValue } from '../kinds/checks.ts'

/** Where the number of replicas of a custom object is (subresources.scale). */
export interface ScalePaths {
  /** As written, such as `.spec.replicas`. */
  readonly spec: string
  readonly status: string
  /** Empty where no selector is told. */
  readonly selector: string
}

/** The paths of a version of a definition; undefined where it has no scale. */
export function scalePathsOf(version: JsonObject): ScalePaths | undefined {
  const scale = mapAt(version, 'subresources', 'scale')
  if (scale === undefined) return undefined
  return {
    spec: textAt(scale, 'specReplicasPath'),
    status: textAt(scale, 'statusReplicasPath'),
    selector: textAt(scale, 'labelSelectorPath'),
  }
}

/** The fields that a path names. */
export function fieldsOfPath(path: string): readonly string[] {
  return path.replace(/^\./, '').split('.')
}

/** A value with its type, as Go writes them. */
function goText(value: Json): string {
  if (value === null) return '<nil> is of the type <nil>'
  if (isList(value)) return `[${value.map(String).join(' ')}] is of the type []interface {}`
  if (typeof value === 'boolean') return `${value} is of the type bool`
  if (typeof value === 'number')
    return `${value} is of the type ${Number.isInteger(value) ? 'int64' : 'float64'}`
  return typeof value === 'string'
    ? `${value} is of the type string`
    : 'map[] is of the type map[string]interface {}'
}

const REPLICAS_MAX = 2 ** 31 - 1

/** What is wrong with the replicas of an object. */
export function checkReplicas(object: JsonObject, path: string): readonly Cause[] {
  const fields = fieldsOfPath(path)
  for (const [index] of fields.slice(1).entries()) {
    const above = at(object, ...fields.slice(0, index + 1))
    if (above === undefined) return []
    if (isObject(above)) continue
    const text = `${path} accessor error: ${goText(above)}, expected map[string]interface{}`
    return [invalidValue(path, 0, text)]
  }
  const value = at(object, ...fields)
  if (value === undefined) return []
  const replicas = numberAt(object, ...fieldsOfPath(path))
  if (replicas === undefined) {
    const text = `${path} accessor error: ${goText(value)}, expected int64`
    return [invalidValue(path, 0, text)]
  }
  if (replicas < 0) return [invalidValue(path, replicas, 'should be a non-negative integer')]
  return replicas > REPLICAS_MAX
    ? [invalidValue(path, replicas, `should be less than or equal to ${REPLICAS_MAX}`)]
    : []
}
