import type { Json } from '../../objects/types.ts'
import type { Program } from '../cel/program.ts'
import { type CelType, DYN } from '../cel/types.ts'
import { CelError } from '../cel/values.ts'
import { at, listAt, textAt } from '../json.ts'
import { compiledOrWhy, variableType } from '../webhooks/admission-expression.ts'
import { admissionVariables } from '../webhooks/condition-types.ts'

/** A variable of a policy: an expression that others use by its name. */
export interface PolicyVariable {
  readonly name: string
  readonly expression: string
  /** Or why it is none. */
  readonly program: Program | CelError
}

/** What the expressions of one policy may use. */
export interface PolicyScope {
  /** In their order: each sees those before it. */
  readonly variables: readonly PolicyVariable[]
  /** The types of what expressions see, by name; variables as `variables.first`. */
  readonly types: Readonly<Record<string, CelType>>
  /** The same without the authorizer, for expressions that make messages. */
  readonly messageTypes: Readonly<Record<string, CelType>>
}

/**
 * How many variables and how many validations a policy may have, which Kubernetes does not bound: each
 * expression costs what there are variables before it. Those beyond it are not there for expressions.
 */
export const POLICY_PARTS_MAX = 1_000

const NO_FIELDS: CelType = { kind: 'object', fields: new Map() }

/** What the expressions of a policy may use. */
export function policyScope(spec: Json | undefined): PolicyScope {
  const params = at(spec, 'paramKind') !== undefined
  const given = listAt(spec, 'variables').slice(0, POLICY_PARTS_MAX)
  const composed = given.length > 0 ? { variables: NO_FIELDS } : {}
  const types = { ...admissionVariables({ params, authorizer: true }), ...composed }
  const messageTypes = { ...admissionVariables({ params, authorizer: false }), ...composed }
  const known: readonly Record<string, CelType>[] = [types, messageTypes]
  const variables = given.map((item): PolicyVariable => {
    const name = textAt(item, 'name')
    const expression = textAt(item, 'expression')
    const program = compiledOrWhy(expression, types)
    const type = program instanceof CelError ? DYN : variableType(program.type)
    for (const names of known) names[`variables.${name}`] = type
    return { name, expression, program }
  })
  return { variables, types, messageTypes }
}

/** Words that are no names in CEL. */
const RESERVED: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
)

/** Whether a variable may have a name. */
export function isVariableName(name: string): boolean {
  return /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) && !RESERVED.has(name)
}
