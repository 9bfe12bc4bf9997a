import { isObject } from '../objects/read.ts'
import type { Json, JsonObject } from '../objects/types.ts'
import type { Attributes } from './attributes.ts'

/** One rule of a role (rbac.authorization.k8s.io/v1 PolicyRule): what may be done with what. */
export interface Rule {
  readonly verbs: readonly string[]
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  /** Empty: whatever the name. */
  readonly resourceNames: readonly string[]
  readonly nonResourceURLs: readonly string[]
}

/** Stands for everything. */
const ALL = '*'

/** The rules in a list that anybody may have written; what is no rule grants nothing. */
export function rulesOf(list: unknown): readonly Rule[] {
  if (!Array.isArray(list)) return []
  return list.filter(isObject).map((rule) => ({
    verbs: texts(rule['verbs']),
    apiGroups: texts(rule['apiGroups']),
    resources: texts(rule['resources']),
    resourceNames: texts(rule['resourceNames']),
    nonResourceURLs: texts(rule['nonResourceURLs']),
  }))
}

/** The texts in a list that anybody may have written. */
export function texts(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.filter((item) => typeof item === 'string') : []
}

/** A rule as JSON, without the fields that are empty. */
export function ruleJson(rule: Rule): JsonObject {
  const fields = Object.entries(rule) as [string, readonly string[]][]
  return Object.fromEntries(
    fields.filter(([key, list]) => list.length > 0 || key === 'verbs'),
  ) as Record<string, Json>
}

/** Whether a rule lets somebody do something. */
export function ruleAllows(rule: Rule, attributes: Attributes): boolean {
  const { verb, group, resource, subresource, name, path } = attributes
  if (!has(rule.verbs, verb)) return false
  if (resource === '') return rule.nonResourceURLs.some((url) => urlCovers(url, path))
  return (
    has(rule.apiGroups, group) &&
    resourceMatches(rule, resource, subresource) &&
    (rule.resourceNames.length === 0 || rule.resourceNames.includes(name))
  )
}

function has(list: readonly string[], wanted: string): boolean {
  return list.includes(ALL) || list.includes(wanted)
}

function resourceMatches({ resources }: Rule, resource: string, subresource: string): boolean {
  if (subresource === '') return has(resources, resource)
  return has(resources, `${resource}/${subresource}`) || resources.includes(`*/${subresource}`)
}

/** Whether one path with an optional star at its end is or contains another. */
export function urlCovers(owner: string, path: string): boolean {
  if (owner === path) return true
  return owner.endsWith(ALL) && path.startsWith(owner.replace(/\*+$/, ''))
}
