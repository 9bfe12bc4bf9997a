import { Environment } from '@marcbachmann/cel-js'
import { compileCall, qualifiedName } from './calls.ts'
import {
  compileError,
  type Meter,
  type Node,
  type Part,
  type Scope,
  spend,
  tried,
} from './scope.ts'
import { type CelType, DYN, fits, INT, STRING, typeText, unified } from './types.ts'
import {
  CelError,
  isSpecial,
  isThere,
  isValueList,
  isValueMap,
  lookUp,
  NONE,
  some,
  uint,
  type Value,
} from './values.ts'

/** How deep and how long an expression may be: more than anybody writes. */
const LIMITS = { maxAstNodes: 20_000, maxDepth: 200, maxListElements: 1_000, maxMapEntries: 1_000 }

/** Reads text. Types and values are not its business. */
const PARSER = new Environment({
  enableOptionalTypes: true,
  unlistedVariablesAreDyn: true,
  limits: LIMITS,
})

/** An expression that is ready to be evaluated. */
export interface Program {
  readonly type: CelType
  /** The variables that it uses, of those that there are. */
  readonly used: ReadonlySet<string>
  /**
   * Evaluates it.
   *
   * @param lookUp gives variables whose names have a dot, such as `variables.first`, when they are used.
   * Default: they are null.
   * @throws CelError what went wrong, in the words of cel-go; and what `lookUp` throws.
   */
  run(
    variables: Readonly<Record<string, Value>>,
    meter: Meter,
    lookUp?: (name: string) => Value,
  ): Value
}

/**
 * Compiles an expression of CEL.
 *
 * @throws CelError with its place when it is malformed or its types do not fit.
 */
export function compile(source: string, variables: Readonly<Record<string, CelType>>): Program {
  const names = Object.keys(variables)
  const known = names.map((name, slot) => [name, { type: variables[name] ?? DYN, slot }] as const)
  const scope: Scope = {
    source,
    variables: new Map(known),
    depth: names.length,
    used: new Set(),
    compile: compileNode,
  }
  const part = compileNode(parse(source), scope)
  return {
    type: part.type,
    used: scope.used,
    run: (given, meter, lookUp = () => null) =>
      part.run({ slots: names.map((name) => given[name] ?? null), meter, lookUp }),
  }
}

function parse(source: string): Node {
  try {
    return PARSER.parse(source).ast as unknown as Node
  } catch (error) {
    const { message = '', range } = error as { message?: string; range?: { start: number } }
    throw compileError(source, range?.start ?? 0, `Syntax error: ${message.split('\n')[0] ?? ''}`)
  }
}

/** Compiles a part of an expression. Each step of it counts. */
function compileNode(node: Node, scope: Scope): Part {
  const { type, run } = partOf(node, scope)
  return {
    type,
    run: (frame) => {
      spend(frame, 1)
      return run(frame)
    },
  }
}

function partOf(node: Node, scope: Scope): Part {
  switch (node.op) {
    case 'value':
      return literal(node.args)
    case 'id':
      return variable(node, scope)
    case '.':
    case '.?':
      return dotted(node, scope) ?? field(node, scope)
    case '[]':
    case '[?]':
      return index(node, scope)
    case 'list':
      return list(node.args as readonly Node[], scope)
    case 'map':
      return map(node.args as readonly (readonly [Node, Node])[], scope)
    case '?:':
      return choice(node, scope)
    case '&&':
    case '||':
      return logic(node, scope)
    default:
      return compileCall(node, scope)
  }
}

/** The types that can be named in an expression. */
const TYPE_NAMES: ReadonlySet<string> = new Set([
  'bool',
  'bytes',
  'double',
  'int',
  'list',
  'map',
  'null_type',
  'string',
  'type',
  'uint',
])

function literal(value: unknown): Part {
  let found: Value
  let type: CelType = DYN
  if (value === null) type = { kind: 'null' }
  else if (typeof value === 'boolean') type = { kind: 'bool' }
  else if (typeof value === 'bigint') type = INT
  else if (typeof value === 'number') type = { kind: 'double' }
  else if (typeof value === 'string') type = STRING
  else if (value instanceof Uint8Array) type = { kind: 'bytes' }
  if (type === DYN) {
    found = uint(BigInt(String((value as { value?: bigint }).value ?? 0n)))
    type = { kind: 'uint' }
  } else found = value as Value
  return { type, run: () => found }
}

function variable(node: Node, scope: Scope): Part {
  const name = String(node.args)
  const known = scope.variables.get(name)
  if (known !== undefined) {
    scope.used.add(name)
    const { type, slot } = known
    return { type, run: ({ slots }) => slots[slot] ?? null }
  }
  if (TYPE_NAMES.has(name)) {
    const value: Value = { special: 'type', name }
    return { type: { kind: 'type' }, run: () => value }
  }
  throw compileError(scope.source, node.pos, `undeclared reference to '${name}' (in container '')`)
}

/** A variable whose name has a dot: it goes before a field of the same name. */
function dotted(node: Node, scope: Scope): Part | undefined {
  const name = node.op === '.' ? qualifiedName(node) : undefined
  const known = name === undefined ? undefined : scope.variables.get(name)
  if (name === undefined || known === undefined) return undefined
  scope.used.add(name)
  return { type: known.type, run: (frame) => frame.lookUp(name) }
}

function field(node: Node, scope: Scope): Part {
  const [target, given] = node.args as readonly [Node, string | Node]
  const name = typeof given === 'string' ? given : String(given.args)
  const { type, run } = compileNode(target, scope)
  const isOptional = node.op === '.?' || type.kind === 'optional'
  const inner = fieldType(type.kind === 'optional' ? type.of : type, name, node, scope)
  return {
    type: isOptional ? { kind: 'optional', of: inner } : inner,
    run: (frame) => {
      const found = run(frame)
      return isOptional || isOptionalValue(found) ? optionalIn(found, name) : selected(found, name)
    },
  }
}

function isOptionalValue(value: Value): boolean {
  return isSpecial(value) && value.special === 'optional'
}

function fieldType(type: CelType, name: string, node: Node, scope: Scope): CelType {
  if (type.kind === 'dyn') return DYN
  if (type.kind === 'map') return type.value
  const found = type.kind === 'object' ? type.fields.get(name) : undefined
  if (found !== undefined) return found
  const offset = Math.max(node.start, node.pos - 1)
  throw compileError(
    scope.source,
    offset,
    type.kind === 'object'
      ? `undefined field '${name}'`
      : `type '${typeText(type)}' does not support field selection`,
  )
}

function selected(value: Value, name: string): Value {
  if (!isValueMap(value)) throw new CelError('no such overload')
  const found = lookUp(value, name)
  if (found === undefined) throw new CelError(`no such key: ${name}`)
  return found
}

/** What is at a field or an index, if anything is. */
function optionalIn(value: Value, key: Value): Value {
  let target = value
  if (isSpecial(target) && target.special === 'optional') {
    if (!isThere(target)) return NONE
    target = target.inner as Value
  }
  if (isValueMap(target)) {
    const found = lookUp(target, key)
    return found === undefined ? NONE : some(found)
  }
  if (!isValueList(target)) return NONE
  const found = target[Number(key)]
  return found === undefined ? NONE : some(found)
}

function index(node: Node, scope: Scope): Part {
  const [target, key] = node.args as readonly [Node, Node]
  const collection = compileNode(target, scope)
  const place = compileNode(key, scope)
  const isOptional = node.op === '[?]' || collection.type.kind === 'optional'
  const base = collection.type.kind === 'optional' ? collection.type.of : collection.type
  const inner = itemType(base, place.type)
  if (inner === undefined) {
    const types = [collection.type, place.type].map(typeText).join(', ')
    const offset = node.pos
    throw compileError(
      scope.source,
      offset,
      `found no matching overload for '_[_]' applied to '(${types})'`,
    )
  }
  return {
    type: isOptional ? { kind: 'optional', of: inner } : inner,
    run: (frame) => {
      const found = collection.run(frame)
      const at = place.run(frame)
      // A number may be the same key as one of another type: all of them are looked at then.
      if (typeof at !== 'string' && isValueMap(found)) spend(frame, found.size)
      return isOptional || isOptionalValue(found) ? optionalIn(found, at) : indexed(found, at)
    },
  }
}

function itemType(collection: CelType, place: CelType): CelType | undefined {
  if (collection.kind === 'dyn') return DYN
  if (collection.kind === 'list') return fits(INT, place, new Map()) ? collection.item : undefined
  if (collection.kind !== 'map') return undefined
  return fits(collection.key, place, new Map()) ? collection.value : undefined
}

function indexed(collection: Value, place: Value): Value {
  if (isValueMap(collection)) {
    const found = lookUp(collection, place)
    if (found === undefined) throw new CelError(`no such key: ${String(place)}`)
    return found
  }
  if (!isValueList(collection)) throw new CelError('no such overload')
  const found = typeof place === 'bigint' && place >= 0n ? collection[Number(place)] : undefined
  if (found === undefined) throw new CelError(`index out of bounds: ${String(place)}`)
  return found
}

function list(nodes: readonly Node[], scope: Scope): Part {
  const parts = nodes.map((node) => compileNode(node, scope))
  return {
    type: { kind: 'list', item: common(parts.map(({ type }) => type)) },
    run: (frame) => parts.map((part) => part.run(frame)),
  }
}

function map(entries: readonly (readonly [Node, Node])[], scope: Scope): Part {
  const parts = entries.map(
    ([key, value]) => [compileNode(key, scope), compileNode(value, scope)] as const,
  )
  return {
    type: {
      kind: 'map',
      key: keyType(common(parts.map(([key]) => key.type))),
      value: common(parts.map(([, value]) => value.type)),
    },
    run: (frame) => new Map(parts.map(([key, value]) => [key.run(frame), value.run(frame)])),
  }
}

/** Of a key with parts nothing is known: such types would double with each map that is a key of another. */
function keyType(type: CelType): CelType {
  return 'item' in type || 'value' in type || 'of' in type || 'fields' in type ? DYN : type
}

/** The type of what is of one of several types. */
function common(types: readonly CelType[]): CelType {
  const [first = DYN, ...rest] = types
  return rest.reduce<CelType>((known, type) => unified(known, type) ?? DYN, first)
}

function choice(node: Node, scope: Scope): Part {
  const [condition, first, second] = (node.args as readonly Node[]).map((arg) =>
    compileNode(arg, scope),
  )
  if (condition === undefined || first === undefined || second === undefined)
    throw new CelError('a conditional has three parts')
  const type = unified(first.type, second.type)
  if (type === undefined || !fits({ kind: 'bool' }, condition.type, new Map())) {
    const types = [condition, first, second].map((part) => typeText(part.type)).join(', ')
    throw compileError(
      scope.source,
      node.pos,
      `found no matching overload for '_?_:_' applied to '(${types})'`,
    )
  }
  return {
    type,
    run: (frame) => {
      const is = condition.run(frame)
      if (typeof is !== 'boolean') throw new CelError('no such overload')
      return is ? first.run(frame) : second.run(frame)
    },
  }
}

/** Either side may decide alone; only when none does, an error of one counts. */
function logic(node: Node, scope: Scope): Part {
  const [left, right] = (node.args as readonly Node[]).map((arg) => compileNode(arg, scope))
  const isAnd = node.op === '&&'
  const types = [left?.type ?? DYN, right?.type ?? DYN]
  if (left === undefined || right === undefined || types.some((type) => !isBool(type))) {
    const text = types.map(typeText).join(', ')
    throw compileError(
      scope.source,
      node.pos,
      `found no matching overload for '_${node.op}_' applied to '(${text})'`,
    )
  }
  const decides = !isAnd
  return {
    type: { kind: 'bool' },
    run: (frame) => {
      const first = tried(left.run, frame)
      if (first === decides) return decides
      const second = tried(right.run, frame)
      if (second === decides) return decides
      if (typeof first === 'boolean' && typeof second === 'boolean') return isAnd
      throw first instanceof CelError
        ? first
        : second instanceof CelError
          ? second
          : new CelError('no such overload')
    },
  }
}

function isBool(type: CelType): boolean {
  return type.kind === 'bool' || type.kind === 'dyn'
}
