import type { JsonObject } from '../../objects/types.ts'
import { compile } from '../cel/program.ts'
import { CelError } from '../cel/values.ts'
import { type Cause, invalidValue, notSupported, required } from '../kinds/checks.ts'
import { followPath } from './field-path.ts'
import { ruleVariables } from './rules.ts'
import { type Rule, readSchema, type Schema } from './schema.ts'
import type { SchemaPlace } from './schema-checks.ts'

const REASONS = [
  'FieldValueDuplicate',
  'FieldValueForbidden',
  'FieldValueInvalid',
  'FieldValueRequired',
]

const NEWLINE = /[\n\r]/

/**
 * What is wrong with the rules of one schema.
 *
 * @param compiles whether the expressions are looked at: only where all else is right.
 */
export function checkRuleSources(
  source: JsonObject,
  place: SchemaPlace,
  compiles: boolean,
): readonly Cause[] {
  if (source['x-kubernetes-validations'] === undefined) return []
  const schema = readSchema(source)
  const path = `${place.path}.x-kubernetes-validations`
  const causes = schema.rules.flatMap((rule, index) =>
    plainCauses(rule, schema, `${path}[${index}]`),
  )
  if (causes.length > 0 || !compiles || !place.isStructural) return causes
  return schema.rules.flatMap((rule, index) =>
    compileCauses(rule, schema, place, `${path}[${index}]`),
  )
}

function plainCauses(rule: Rule, schema: Schema, path: string): readonly Cause[] {
  const causes: Cause[] = []
  const text = rule.rule.trim()
  const message = rule.message.trim()
  if (text === '') causes.push(required(`${path}.rule`, 'rule is not specified'))
  else if (rule.message !== '' && message === '')
    causes.push(invalidValue(`${path}.message`, rule.message, 'must be non-empty if specified'))
  else if (NEWLINE.test(message))
    causes.push(invalidValue(`${path}.message`, rule.message, 'must not contain line breaks'))
  else if (NEWLINE.test(text) && message === '')
    causes.push(
      required(`${path}.message`, 'message must be specified if rule contains line breaks'),
    )
  if (rule.messageExpression !== '' && rule.messageExpression.trim() === '')
    causes.push(
      required(`${path}.messageExpression`, 'messageExpression must be non-empty if specified'),
    )
  if (rule.reason !== '' && !REASONS.includes(rule.reason))
    causes.push(notSupported(`${path}.reason`, rule.reason, REASONS))
  if (rule.fieldPath === '') return causes
  const field = `${path}.fieldPath`
  if (rule.fieldPath.trim() === '')
    causes.push(invalidValue(field, rule.fieldPath, 'must be non-empty if specified'))
  if (NEWLINE.test(rule.fieldPath))
    causes.push(invalidValue(field, rule.fieldPath, 'must not contain line breaks'))
  if (typeof followPath(rule.fieldPath, schema, true) === 'string')
    causes.push(invalidValue(field, rule.fieldPath, 'must be a valid path'))
  return causes
}

/** A rule as errors show it: every field, those that say nothing too. */
function shown(rule: Rule): JsonObject {
  return {
    Rule: rule.rule,
    Message: rule.message,
    MessageExpression: rule.messageExpression,
    Reason: rule.reason === '' ? null : rule.reason,
    FieldPath: rule.fieldPath,
    OptionalOldSelf: rule.optionalOldSelf ?? null,
  }
}

/** Go writes these of JSON as escapes. */
const ESCAPES: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
}

function refusedRule(field: string, rule: Rule, detail: string): Cause {
  const text = JSON.stringify(shown(rule)).replace(/[<>&]/g, (mark) => ESCAPES[mark] ?? mark)
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${text}: ${detail}` }
}

function compileCauses(
  rule: Rule,
  schema: Schema,
  place: SchemaPlace,
  path: string,
): readonly Cause[] {
  const variables = ruleVariables(schema, rule, place.isRoot === true)
  const causes: Cause[] = []
  try {
    const program = compile(rule.rule, variables)
    if (program.type.kind !== 'bool' && program.type.kind !== 'dyn')
      causes.push(refusedRule(`${path}.rule`, rule, 'cel expression must evaluate to a bool'))
    const usesOldSelf = program.used.has('oldSelf')
    if (usesOldSelf && place.uncorrelated !== undefined)
      causes.push(
        invalidValue(
          `${path}.rule`,
          rule.rule,
          `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelated}`,
        ),
      )
    else if (!usesOldSelf && rule.optionalOldSelf !== undefined)
      causes.push(
        invalidValue(
          `${path}.optionalOldSelf`,
          rule.optionalOldSelf,
          'may not be set if oldSelf is not used in rule',
        ),
      )
  } catch (error) {
    if (!(error instanceof CelError)) throw error
    const detail = `compilation failed: ${error.message}`
    return [refusedRule(`${path}.rule`, rule, detail)]
  }
  if (rule.messageExpression === '') return causes
  try {
    const { type } = compile(rule.messageExpression, variables)
    if (type.kind !== 'string' && type.kind !== 'dyn')
      causes.push(
        refusedRule(
          `${path}.messageExpression`,
          rule,
          'messageExpression must evaluate to a string',
        ),
      )
  } catch (error) {
    if (!(error instanceof CelError)) throw error
    const detail = `messageExpression compilation failed: ${error.message}`
    causes.push(refusedRule(`${path}.messageExpression`, rule, detail))
  }
  return causes
}
