import { costOf } from './costs.ts'
import { type Overload, overloadFor } from './functions.ts'
import { FUNCTIONS } from './library.ts'
import { compileMacro } from './macros.ts'
import { compiledPattern } from './patterns.ts'
import { compileError, type Node, type Part, type Scope, spend } from './scope.ts'
import { parseDuration, parseTimestamp } from './times.ts'
import { type Bindings, type CelType, DYN, fits, resolved, typeText, unified } from './types.ts'
import { CelError } from './values.ts'

/** The operators that are functions, by how the parser names them. */
const OPERATORS: Readonly<Record<string, string>> = {
  '!_': '!_',
  '-_': '-_',
  '==': '_==_',
  '!=': '_!=_',
  '<': '_<_',
  '<=': '_<=_',
  '>': '_>_',
  '>=': '_>=_',
  '+': '_+_',
  '-': '_-_',
  '*': '_*_',
  '/': '_/_',
  '%': '_%_',
  in: '@in',
}

/** Compiles an operator, a macro or the call of a function. */
export function compileCall(node: Node, scope: Scope): Part {
  const operator = OPERATORS[node.op]
  if (operator !== undefined) {
    const args = Array.isArray(node.args) ? (node.args as readonly Node[]) : [node.args as Node]
    return call(operator, args, false, node, scope)
  }
  if (node.op === 'call') {
    const [name, args] = node.args as readonly [string, readonly Node[]]
    return compileMacro(name, undefined, args, node, scope) ?? call(name, args, false, node, scope)
  }
  if (node.op === 'rcall') {
    const [name, target, args] = node.args as readonly [string, Node, readonly Node[]]
    const macro = compileMacro(name, target, args, node, scope)
    if (macro !== undefined) return macro
    // A function may have a name with dots, such as `ip.isCanonical`.
    const full = `${qualifiedName(target) ?? ''}.${name}`
    const isNamespaced = FUNCTIONS.has(full) && !isVariable(target, scope)
    return isNamespaced
      ? call(full, args, false, node, scope)
      : call(name, [target, ...args], true, node, scope)
  }
  throw compileError(scope.source, node.start, `unsupported expression: ${node.op}`)
}

/** What a chain of names spells: `a.b.c`; undefined for any other expression. */
export function qualifiedName(node: Node): string | undefined {
  if (node.op === 'id') return String(node.args)
  if (node.op !== '.') return undefined
  const [target, name] = node.args as readonly [Node, string]
  const outer = qualifiedName(target)
  return outer === undefined ? undefined : `${outer}.${name}`
}

function isVariable(node: Node, scope: Scope): boolean {
  let root = node
  while (root.op === '.') root = (root.args as readonly [Node, string])[0]
  return root.op === 'id' && scope.variables.has(String(root.args))
}

function call(
  name: string,
  nodes: readonly Node[],
  isMethod: boolean,
  node: Node,
  scope: Scope,
): Part {
  const overloads = (FUNCTIONS.get(name) ?? []).filter((item) => item.isMethod === isMethod)
  if (overloads.length === 0)
    throw compileError(
      scope.source,
      placeOf(node, scope, name, isMethod),
      `undeclared reference to '${name}' (in container '')`,
    )
  const args = nodes.map((item) => scope.compile(item, scope))
  const types = args.map(({ type }) => type)
  const candidates = matching(overloads, types)
  const result = candidates.length === 0 ? undefined : resultOf(candidates)
  if (result === undefined) throw noOverload(name, types, isMethod, node, scope)
  checkLiteral(name, nodes.at(-1), scope)
  return {
    type: result,
    run: (frame) => {
      const values = args.map((part) => part.run(frame))
      const overload = overloadFor(overloads, values)
      if (overload === undefined) throw new CelError('no such overload')
      spend(frame, costOf(name, values))
      return overload.call(...values)
    },
  }
}

/** What reads texts that are written out in an expression: one that it cannot read is told at once. */
const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  duration: parseDuration,
  matches: compiledPattern,
  timestamp: parseTimestamp,
}

function checkLiteral(name: string, node: Node | undefined, scope: Scope): void {
  const read = Object.hasOwn(READERS, name) ? READERS[name] : undefined
  if (read === undefined || node?.op !== 'value' || typeof node.args !== 'string') return
  try {
    read(node.args)
  } catch (error) {
    if (!(error instanceof CelError)) throw error
    throw compileError(scope.source, node.start, `invalid ${name} argument`)
  }
}

interface Candidate {
  readonly overload: Overload
  readonly bindings: Bindings
}

function matching(overloads: readonly Overload[], types: readonly CelType[]): readonly Candidate[] {
  return overloads.flatMap((overload): Candidate[] => {
    const bindings: Bindings = new Map()
    const { wanted } = overload
    const isMatch =
      wanted.length === types.length &&
      wanted.every((type, index) => fits(type, types[index] ?? DYN, bindings))
    return isMatch ? [{ overload, bindings }] : []
  })
}

function resultOf(candidates: readonly Candidate[]): CelType {
  const results = candidates.map(({ overload, bindings }) => resolved(overload.result, bindings))
  const [first = DYN, ...rest] = results
  return rest.reduce<CelType>((known, type) => unified(known, type) ?? DYN, first)
}

function noOverload(
  name: string,
  types: readonly CelType[],
  isMethod: boolean,
  node: Node,
  scope: Scope,
): CelError {
  const [receiver = DYN, ...rest] = types
  const text = isMethod
    ? `'${typeText(receiver)}.(${rest.map(typeText).join(', ')})'`
    : `'(${types.map(typeText).join(', ')})'`
  return compileError(
    scope.source,
    placeOf(node, scope, name, isMethod),
    `found no matching overload for '${name}' applied to ${text}`,
  )
}

/** Where cel-go says that a call is: at its operator, or at the parenthesis behind its name. */
function placeOf(node: Node, scope: Scope, name: string, isMethod: boolean): number {
  if (Array.isArray(node.args) && OPERATORS[node.op] !== undefined) {
    const [left] = node.args as readonly Node[]
    const found = scope.source.indexOf(node.op, left?.end ?? node.start)
    return found < 0 ? node.pos : found
  }
  if (OPERATORS[node.op] !== undefined) return node.pos
  if (!isMethod) return node.start + name.length
  const [, target] = node.args as readonly [string, Node]
  const found = scope.source.indexOf('(', target.end)
  return found < 0 ? node.pos : found
}
