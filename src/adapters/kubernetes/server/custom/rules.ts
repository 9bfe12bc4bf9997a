import type { Json } from '../../objects/types.ts'
import { compile, type Program } from '../cel/program.ts'
import type { Meter } from '../cel/scope.ts'
import type { CelType } from '../cel/types.ts'
import { CelError, NONE, some, type Value } from '../cel/values.ts'
import { isList, isObject, sameJson } from '../json.ts'
import { type Cause, duplicate, forbiddenField, invalidValue, required } from '../kinds/checks.ts'
import { fieldPathOf } from './field-path.ts'
import { listMapKey } from './list-checks.ts'
import { ruleValue, typeOfSchema } from './rule-values.ts'
import { fieldSchema, type Rule, type Schema } from './schema.ts'

/** How many steps the rules of one object may take in all, and one of them alone. */
export const RULES_STEPS_MAX = 10_000_000
const RULE_STEPS_MAX = 1_000_000

/** The longest text that a messageExpression may make, in bytes. */
const MESSAGE_BYTES_MAX = 5 * 1024

const EXHAUSTED =
  'validation failed due to running out of cost budget, no further validation rules will be run'

/** A rule that is ready to be evaluated. */
interface ReadyRule {
  readonly source: Rule
  readonly program: Program
  readonly message: Program | undefined
  readonly usesOldSelf: boolean
}

/** The rules of a schema, made when they are first needed. */
const ready = new WeakMap<Schema, readonly (ReadyRule | CelError)[]>()

/** The variables that a rule sees. */
export function ruleVariables(
  schema: Schema,
  rule: Rule,
  isRoot: boolean,
): Record<string, CelType> {
  const self = typeOfSchema(schema, isRoot)
  const oldSelf: CelType = rule.optionalOldSelf === true ? { kind: 'optional', of: self } : self
  return { self, oldSelf }
}

function rulesOf(schema: Schema, isRoot: boolean): readonly (ReadyRule | CelError)[] {
  const known = ready.get(schema)
  if (known !== undefined) return known
  const made = schema.rules.map((source) => {
    try {
      const variables = ruleVariables(schema, source, isRoot)
      const program = compile(source.rule, variables)
      const message =
        source.messageExpression === '' ? undefined : compile(source.messageExpression, variables)
      return { source, program, message, usesOldSelf: program.used.has('oldSelf') }
    } catch (error) {
      if (error instanceof CelError) return error
      throw error
    }
  })
  ready.set(schema, made)
  return made
}

/** What is being checked, and what it may still cost. */
interface Run {
  readonly causes: Cause[]
  /** Told of what is wrong and was before. */
  readonly warn: (text: string) => void
  left: number
}

/**
 * Evaluates the rules of a schema (x-kubernetes-validations) on a value.
 *
 * @param old the value before; undefined for a new one.
 * @param warn told what is wrong with parts that the update does not change.
 */
export function checkRules(
  schema: Schema,
  value: Json,
  old: Json | undefined,
  path: string,
  isRoot: boolean,
  warn: (text: string) => void,
): readonly Cause[] {
  const run: Run = { causes: [], warn, left: RULES_STEPS_MAX }
  checkNode(run, schema, value, old, path, isRoot, true)
  return run.causes
}

function checkNode(
  run: Run,
  schema: Schema,
  value: Json | undefined,
  old: Json | undefined,
  path: string,
  isRoot: boolean,
  isCorrelated: boolean,
): void {
  if (value === null || value === undefined || run.left < 0) return
  if (schema.rules.length > 0) checkOwn(run, schema, value, old, path, isRoot, isCorrelated)
  if (isList(value)) {
    const isMap = schema.listType === 'map'
    const before =
      isMap && isList(old)
        ? new Map(old.map((item) => [listMapKey(schema, item), item]))
        : undefined
    for (const [index, item] of value.entries()) {
      if (schema.items === undefined || run.left < 0) break
      const known = before?.get(listMapKey(schema, item))
      checkNode(run, schema.items, item, known, `${path}[${index}]`, false, isMap)
    }
  } else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      const inner = fieldSchema(schema, key)
      if (inner === undefined || run.left < 0) continue
      const below = schema.properties.has(key)
        ? path === ''
          ? key
          : `${path}.${key}`
        : `${path}[${key}]`
      checkNode(run, inner, item, isObject(old) ? old[key] : undefined, below, false, isCorrelated)
    }
  }
}

/** A value in the words of an error: whole objects and lists are not repeated. */
function refusal(schema: Schema, path: string, value: Json, detail: string): Cause {
  const field = path === '' ? '<nil>' : path
  return schema.type === 'object' || schema.type === 'array'
    ? { reason: 'FieldValueInvalid', field, message: `Invalid value: ${detail}` }
    : invalidValue(field, value, detail)
}

function checkOwn(
  run: Run,
  schema: Schema,
  value: Json,
  old: Json | undefined,
  path: string,
  isRoot: boolean,
  isCorrelated: boolean,
): void {
  const field = path === '' ? '<nil>' : path
  let self: Value
  let oldSelf: Value | undefined
  const isUpdate = old !== undefined && old !== null
  try {
    self = ruleValue(value, schema, isRoot)
    oldSelf = isUpdate ? ruleValue(old, schema, isRoot) : undefined
  } catch (error) {
    if (!(error instanceof CelError)) throw error
    run.causes.push(invalidValue(field, schema.type, error.message))
    return
  }
  const isSame = isCorrelated && isUpdate && sameJson(old, value)
  for (const rule of rulesOf(schema, isRoot)) {
    if (run.left < 0) return
    if (rule instanceof CelError) {
      run.causes.push(
        invalidValue(field, schema.type, `rule compile error: compilation failed: ${rule.message}`),
      )
      continue
    }
    const isOptional = rule.source.optionalOldSelf === true
    if (rule.usesOldSelf && oldSelf === undefined && !isOptional) continue
    const before = isOptional ? (oldSelf === undefined ? NONE : some(oldSelf)) : (oldSelf ?? null)
    const variables = { self, oldSelf: before }
    const holds = evaluate(run, rule, variables, schema, field)
    if (holds !== false) continue
    const cause = failure(run, rule, variables, schema, value, path)
    if (cause === undefined) return
    if (!rule.usesOldSelf && isSame) run.warn(`${cause.field}: ${cause.message}`)
    else run.causes.push(cause)
  }
}

/** Whether a rule holds; undefined when it fails, which is said then. */
function evaluate(
  run: Run,
  { program, source }: ReadyRule,
  variables: Readonly<Record<string, Value>>,
  schema: Schema,
  field: string,
): boolean | undefined {
  const meter: Meter = { left: Math.min(RULE_STEPS_MAX, run.left) }
  const start = meter.left
  try {
    const result = program.run(variables, meter)
    run.left -= start - meter.left
    return result === true
  } catch (error) {
    if (!(error instanceof CelError)) throw error
    run.left -= start - Math.max(0, meter.left)
    const text = source.message === '' ? source.rule.trim() : source.message.trim()
    const isOver = meter.left < 0
    if (isOver) run.left = -1
    const detail = isOver
      ? start < RULE_STEPS_MAX
        ? EXHAUSTED
        : `'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${text}`
      : error.message.startsWith('no such overload')
        ? `'${error.message}': call arguments did not match a supported operator, function or macro signature for rule: ${text}`
        : `${error.message} evaluating rule: ${text}`
    run.causes.push(invalidValue(field, schema.type, detail))
    return undefined
  }
}

/** What is said of a rule that does not hold; undefined when nothing more may be evaluated. */
function failure(
  run: Run,
  rule: ReadyRule,
  variables: Readonly<Record<string, Value>>,
  schema: Schema,
  value: Json,
  path: string,
): Cause | undefined {
  const { source, message } = rule
  const below = source.fieldPath === '' ? '' : fieldPathOf(source.fieldPath)
  const place = below === '' ? path : path === '' ? below.replace(/^\./, '') : `${path}${below}`
  const field = place === '' ? '<nil>' : place
  let text: string | undefined
  if (message !== undefined) {
    const meter: Meter = { left: Math.min(RULE_STEPS_MAX, run.left) }
    const start = meter.left
    text = messageText(message, variables, meter)
    run.left -= start - Math.max(0, meter.left)
    if (meter.left < 0) {
      run.left = -1
      const detail =
        'messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run'
      run.causes.push(invalidValue(field, schema.type, detail))
      return undefined
    }
  }
  const detail =
    text ?? (source.message === '' ? `failed rule: ${source.rule.trim()}` : source.message.trim())
  switch (source.reason) {
    case 'FieldValueForbidden':
      return forbiddenField(field, detail)
    case 'FieldValueRequired':
      return required(field, detail)
    case 'FieldValueDuplicate':
      return schema.type === 'object' || schema.type === 'array'
        ? { reason: 'FieldValueDuplicate', field, message: 'Duplicate value' }
        : duplicate(field, value)
    default:
      return refusal(schema, place, value, detail)
  }
}

/** The text of a messageExpression, where it makes one that can be shown. */
function messageText(
  program: Program,
  variables: Readonly<Record<string, Value>>,
  meter: Meter,
): string | undefined {
  try {
    const value = program.run(variables, meter)
    if (typeof value !== 'string') return undefined
    const text = value.trim()
    const isShown =
      text !== '' && !/[\r\n]/.test(text) && Buffer.byteLength(text) <= MESSAGE_BYTES_MAX
    return isShown ? text : undefined
  } catch (error) {
    if (error instanceof CelError) return undefined
    throw error
  }
}
