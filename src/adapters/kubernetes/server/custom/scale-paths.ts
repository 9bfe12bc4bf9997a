import { mapAt } from '../../objects/read.ts'
import type { JsonObject } from '../../objects/types.ts'
import { at, numberAt, textAt } from '../json.ts'
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

const REPLICAS_MAX = 2 ** 31 - 1

/** What is wrong with the replicas of an object. */
export function checkReplicas(object: JsonObject, path: string): readonly Cause[] {
  const value = at(object, ...fieldsOfPath(path))
  if (value === undefined) return []
  const replicas = numberAt(object, ...fieldsOfPath(path))
  if (replicas === undefined) {
    const type = value === null ? '<nil>' : typeof value === 'string' ? 'string' : 'object'
    const text = `${path} accessor error: ${String(value)} is of the type ${type}, expected int64`
    return [invalidValue(path, 0, text)]
  }
  if (replicas < 0) return [invalidValue(path, replicas, 'should be a non-negative integer')]
  return replicas > REPLICAS_MAX
    ? [invalidValue(path, replicas, `should be less than or equal to ${REPLICAS_MAX}`)]
    : []
}
