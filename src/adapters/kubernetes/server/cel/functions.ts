import { type CelType, fits, parseType, splitTypes } from './types.ts'
import { typeOf, type Value } from './values.ts'

/** Computes a call. Arguments are of the types of the signature; a receiver comes first. */
export type Call = (...values: readonly Value[]) => Value

/** One way to call a function. */
export interface Overload {
  /** Whether it is called on its first argument: `a.f(b)`. */
  readonly isMethod: boolean
  readonly wanted: readonly CelType[]
  readonly result: CelType
  readonly call: Call
}

/** Functions by name. */
export type Functions = ReadonlyMap<string, readonly Overload[]>

/** How a table of functions is written: `'string.contains(string): bool'`, `'size(string): int'`. */
export type FunctionTable = Readonly<Record<string, (...values: never[]) => Value>>

const SIGNATURE = /^(?:([a-z]+(?:<.*>)?|[A-Z])\.)?([\w.@!=<>+*/%-]+)\((.*)\): (.+)$/

/** Reads tables of functions. */
export function functionsOf(...tables: readonly FunctionTable[]): Functions {
  const functions = new Map<string, Overload[]>()
  for (const table of tables) {
    for (const [signature, call] of Object.entries(table)) {
      const [name, overload] = overloadOf(signature, call as Call)
      functions.set(name, [...(functions.get(name) ?? []), overload])
    }
  }
  return functions
}

function overloadOf(signature: string, call: Call): readonly [name: string, overload: Overload] {
  // A colon in front means: a function of this full name, and no method.
  const isPlain = signature.startsWith(':')
  const text = isPlain ? signature.slice(1) : signature
  const match = (isPlain ? /^()([\w.]+)\((.*)\): (.+)$/ : SIGNATURE).exec(text)
  const [, receiver, name = '', given = '', result = 'dyn'] = match ?? []
  const isMethod = receiver !== undefined && receiver !== ''
  const wanted = [...(isMethod ? [receiver] : []), ...splitTypes(given)].map(parseType)
  return [name, { isMethod, wanted, result: parseType(result), call }]
}

/** The overload for values, by what they are. */
export function overloadFor(
  overloads: readonly Overload[],
  values: readonly Value[],
): Overload | undefined {
  return overloads.find(
    ({ wanted }) =>
      wanted.length === values.length &&
      wanted.every((type, index) => {
        const value = values[index]
        return value !== undefined && fits(loosened(type), typeOf(value), new Map())
      }),
  )
}

/** What parameters stand for was checked before; now any value may stand there. */
function loosened(type: CelType): CelType {
  return type.kind === 'parameter' ? { kind: 'dyn' } : type
}
