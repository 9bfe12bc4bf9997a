import type { Json, JsonObject } from '../../objects/types.ts'
import { at, isList, isObject, sameJson } from '../json.ts'
import { type Cause, invalidValue, notSupported, required } from './checks.ts'
import { checkQualifiedName, type NameRule, nameProblems } from './names.ts'

// The vocabulary in which it is written down what a kind has to look like. A check gets the path of a
// field and its value, undefined where the field is absent, and says what is wrong with it.

/** What is wrong with the value of a field. */
export type Check = (field: string, value: Json | undefined) => readonly Cause[]

/** The path of a field in the object at `path`. */
export function pathOf(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

/** All of several checks, in order. */
export function all(...checks: readonly Check[]): Check {
  return (field, value) => checks.flatMap((check) => check(field, value))
}

/** Checks of the field `name` of an object, whether it is there or not. */
export function field(name: string, ...checks: readonly Check[]): Check {
  return (path, value) =>
    checks.flatMap((check) => check(pathOf(path, name), isObject(value) ? value[name] : undefined))
}

/** Checks of the field `name` of an object, where it is there and says something. */
export function given(name: string, ...checks: readonly Check[]): Check {
  return (path, value) => {
    const found = isObject(value) ? value[name] : undefined
    return isEmpty(found) ? [] : checks.flatMap((check) => check(pathOf(path, name), found))
  }
}

/** Checks of each item of a list at the field `name`. */
export function each(name: string, ...checks: readonly Check[]): Check {
  return (path, value) => {
    const list = isObject(value) ? value[name] : undefined
    if (!isList(list)) return []
    return list.flatMap((item, index) =>
      checks.flatMap((check) => check(`${pathOf(path, name)}[${index}]`, item)),
    )
  }
}

/** Whether a value says nothing, as an empty text or list does. */
export function isEmpty(value: Json | undefined): boolean {
  return (
    value === undefined || value === null || value === '' || (isList(value) && value.length === 0)
  )
}

/** The value has to be there. */
export function needed(detail: string = ''): Check {
  return (path, value) => (isEmpty(value) ? [required(path, detail)] : [])
}

/** The value has to be there, and be one of a few. */
export function neededOneOf(...allowed: readonly string[]): Check {
  return (path, value) => (isEmpty(value) ? [required(path)] : oneOf(...allowed)(path, value))
}

/** The value, where there is one, is one of a few. */
export function oneOf(...allowed: readonly string[]): Check {
  return (path, value) =>
    value === undefined || allowed.includes(String(value))
      ? []
      : [notSupported(path, value, allowed)]
}

/** A number, where there is one, is at least `min`. */
export function min(
  least: number,
  text: string = `must be greater than or equal to ${least}`,
): Check {
  return (path, value) =>
    typeof value === 'number' && value < least ? [invalidValue(path, value, text)] : []
}

/** A number, where there is one, is at most `max`. */
export function max(most: number): Check {
  return (path, value) =>
    typeof value === 'number' && value > most
      ? [invalidValue(path, value, `must be less than or equal to ${most}`)]
      : []
}

/** A text, where there is one, is a name. */
export function named(rule: NameRule): Check {
  return (path, value) =>
    typeof value === 'string'
      ? nameProblems(value, rule).map((detail) => invalidValue(path, value, detail))
      : []
}

/** A text has to be there and be a name. */
export function neededName(rule: NameRule): Check {
  return (path, value) => (isEmpty(value) ? [required(path)] : named(rule)(path, value))
}

/** A text, where there is one, is a qualified name. */
export const qualified: Check = (path, value) =>
  typeof value === 'string' ? checkQualifiedName(path, value) : []

/** What an update may not do, by both objects. */
export type UpdateCheck = (before: JsonObject, after: JsonObject) => readonly Cause[]

/** A field that keeps its value; `same` says which values are no difference. */
export function fixed(path: string, shownAs: string = path): UpdateCheck {
  const keys = path.split('.')
  return (before, after) => {
    const is = at(after, ...keys)
    return sameValue(at(before, ...keys), is)
      ? []
      : [invalidValue(shownAs, is, 'field is immutable')]
  }
}

/** Whether two values say the same; what is empty says nothing. */
export function sameValue(a: Json | undefined, b: Json | undefined): boolean {
  return (isEmpty(a) && isEmpty(b)) || sameJson(a, b)
}
