import { compile, type Program } from '../cel/program.ts'
import { type CelType, DYN, typeText } from '../cel/types.ts'
import { CelError } from '../cel/values.ts'

/** The name of a type where it is demanded, which for null is another one than in errors of CEL. */
function demandedText(type: CelType): string {
  return type.kind === 'null' ? 'null_type' : typeText(type)
}

/**
 * Compiles an expression of admission: a condition, or a part of a policy.
 *
 * @param wanted the types that it may be of: just these, as what is only known later may be anything.
 * Default: any.
 * @throws CelError with what kube-apiserver says of it.
 */
export function compileAdmission(
  expression: string,
  variables: Readonly<Record<string, CelType>>,
  wanted: readonly CelType[] = [],
): Program {
  const program = compiled(expression, variables)
  const found = typeText(program.type)
  const isWanted = wanted.length === 0 || wanted.some((type) => typeText(type) === found)
  if (isWanted) return program
  const texts = wanted.map(demandedText).join(' ')
  const demanded = wanted.length === 1 ? `to ${texts}` : `to one of [${texts}]`
  throw new CelError(
    `must evaluate ${demanded} but got ${program.type.kind === 'null' ? 'null_type' : found}`,
  )
}

function compiled(expression: string, variables: Readonly<Record<string, CelType>>): Program {
  try {
    return compile(expression, variables)
  } catch (error) {
    if (!(error instanceof CelError)) throw error
    throw new CelError(`compilation failed: ${error.message}`)
  }
}

/** The same, or why it cannot be: for who finds out when it is needed. */
export function compiledOrWhy(
  expression: string,
  variables: Readonly<Record<string, CelType>>,
  wanted: readonly CelType[] = [],
): Program | CelError {
  try {
    return compileAdmission(expression, variables, wanted)
  } catch (error) {
    if (error instanceof CelError) return error
    throw error
  }
}

/** How deep a type is known: variables are made of variables, and each may be deeper than the last. */
const TYPE_DEPTH_MAX = 32

/** The type of a variable that an expression makes: of what is not plain, or very deep, nothing is known. */
export function variableType(type: CelType, depth = 0): CelType {
  if (depth > TYPE_DEPTH_MAX) return DYN
  switch (type.kind) {
    case 'list':
      return { kind: 'list', item: variableType(type.item, depth + 1) }
    case 'map': {
      const value = variableType(type.value, depth + 1)
      return { kind: 'map', key: variableType(type.key, depth + 1), value }
    }
    case 'bool':
    case 'bytes':
    case 'double':
    case 'duration':
    case 'int':
    case 'null':
    case 'string':
    case 'timestamp':
    case 'uint':
      return type
    default:
      return DYN
  }
}
