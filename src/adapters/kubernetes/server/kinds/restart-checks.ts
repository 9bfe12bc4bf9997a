import type { Json } from '../../objects/types.ts'
import { at, listAt, textAt } from '../json.ts'
import { type Cause, checkOneOf, required, tooMany } from './checks.ts'

// When a container runs again by its own wish, whatever its pod says.

const POLICIES = ['Always', 'Never', 'OnFailure']
const ACTIONS = ['Restart', 'RestartAllContainers']
const OPERATORS = ['In', 'NotIn']
const RULES_MAX = 20
const CODES_MAX = 255

/** What is wrong with the restart policy of a container and its rules. */
export function restartCauses(place: string, container: Json, isInit: boolean): readonly Cause[] {
  const policy = at(container, 'restartPolicy')
  const rules = listAt(container, 'restartPolicyRules')
  const field = `${place}.restartPolicyRules`
  const detail = 'must specify restartPolicy when restart rules are used'
  const missing =
    policy === undefined && rules.length > 0 ? [required(`${place}.restartPolicy`, detail)] : []
  // Kubernetes says no more of an init container then.
  if (isInit && missing.length > 0) return missing
  return [
    ...missing,
    ...checkOneOf(`${place}.restartPolicy`, policy, POLICIES),
    ...(rules.length > RULES_MAX ? [tooMany(field, rules.length, RULES_MAX)] : []),
    ...rules.flatMap((rule, index) => ruleCauses(`${field}[${index}]`, rule)),
  ]
}

function ruleCauses(field: string, rule: Json): readonly Cause[] {
  const exitCodes = at(rule, 'exitCodes')
  const codes = `${field}.exitCodes`
  const count = listAt(exitCodes, 'values').length
  return [
    ...checkOneOf(`${field}.action`, textAt(rule, 'action'), ACTIONS),
    ...(exitCodes === undefined
      ? [required(codes, 'must be specified')]
      : checkOneOf(`${codes}.operator`, textAt(exitCodes, 'operator'), OPERATORS)),
    ...(count > CODES_MAX ? [tooMany(`${codes}.values`, count, CODES_MAX)] : []),
  ]
}
