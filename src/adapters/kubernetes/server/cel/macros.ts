import {
  compileError,
  type Frame,
  type Node,
  type Part,
  type Run,
  type Scope,
  spend,
  tried,
  withVariable,
} from './scope.ts'
import { BOOL, type CelType, DYN, fits, INT, typeText } from './types.ts'
import {
  CelError,
  compareValues,
  isSpecial,
  isThere,
  isValueList,
  isValueMap,
  lookUp,
  NONE,
  some,
  type Value,
} from './values.ts'

/** A call that decides itself what of its arguments is evaluated, and how often. */
interface MacroCall {
  readonly name: string
  readonly target: Node | undefined
  readonly args: readonly Node[]
  readonly node: Node
  readonly scope: Scope
}

/** Compiles a macro; undefined when the call is none. */
export function compileMacro(
  name: string,
  target: Node | undefined,
  args: readonly Node[],
  node: Node,
  scope: Scope,
): Part | undefined {
  const macro: MacroCall = { name, target, args, node, scope }
  if (name === 'has' && target === undefined && args.length === 1) return has(macro)
  if (name === 'bind' && target?.op === 'id' && target.args === 'cel' && args.length === 3)
    return bind(macro)
  if (target === undefined || args[0]?.op !== 'id') return undefined
  if ((name === 'optMap' || name === 'optFlatMap') && args.length === 2) return optional(macro)
  if (name === 'sortBy' && args.length === 2) return sorted(macro)
  const pairs = COMPREHENSIONS[`${name}/${args.length}`]
  return pairs === undefined ? undefined : comprehension(macro, pairs)
}

function has({ args, node, scope }: MacroCall): Part {
  const selected = args[0]
  if (selected?.op !== '.')
    throw compileError(scope.source, node.start, 'invalid argument to has() macro')
  const [target, name] = selected.args as readonly [Node, string]
  const part = scope.compile(target, scope)
  // Says whether there can be such a field.
  scope.compile(selected, scope)
  return {
    type: BOOL,
    run: (frame) => {
      const value = part.run(frame)
      if (!isValueMap(value)) throw new CelError('no such overload')
      return lookUp(value, name) !== undefined
    },
  }
}

function bind({ args, scope }: MacroCall): Part {
  const [name, value, body] = args
  if (name === undefined || value === undefined || body === undefined)
    throw new CelError('cel.bind takes a name, a value and an expression')
  const bound = scope.compile(value, scope)
  const inner = scope.compile(body, withVariable(scope, String(name.args), bound.type))
  const slot = scope.depth
  return {
    type: inner.type,
    run: (frame) => {
      frame.slots[slot] = bound.run(frame)
      return inner.run(frame)
    },
  }
}

function optional({ name, target, args, scope }: MacroCall): Part {
  const [variable, body] = args
  const source = scope.compile(target as Node, scope)
  const of = source.type.kind === 'optional' ? source.type.of : DYN
  const slot = scope.depth
  const inner = scope.compile(body as Node, withVariable(scope, String(variable?.args), of))
  const isFlat = name === 'optFlatMap'
  return {
    type: isFlat ? inner.type : { kind: 'optional', of: inner.type },
    run: (frame) => {
      const value = source.run(frame)
      if (!isSpecial(value) || !isThere(value)) return NONE
      frame.slots[slot] = value.inner as Value
      const found = inner.run(frame)
      return isFlat ? found : some(found)
    },
  }
}

function sorted({ target, args, scope, node }: MacroCall): Part {
  const source = scope.compile(target as Node, scope)
  const [item] = rangeTypes(source.type, 1, node, scope)
  const slot = scope.depth
  const key = scope.compile(
    args[1] as Node,
    withVariable(scope, String(args[0]?.args), item ?? DYN),
  )
  return {
    type: source.type,
    run: (frame) => {
      const list = source.run(frame)
      if (!isValueList(list)) throw new CelError('no such overload')
      const keyed = list.map((value) => {
        frame.slots[slot] = value
        return { value, key: key.run(frame) }
      })
      spend(frame, list.length * Math.ceil(Math.log2(list.length + 1)))
      keyed.sort((a, b) => compareValues(a.key, b.key) ?? 0)
      return keyed.map(({ value }) => value)
    },
  }
}

/** What a macro does with the items of a collection. */
interface Comprehension {
  /** How many variables stand for an item: its value; or its key or index, and its value. */
  readonly variables: 1 | 2
  /** The types that the expressions behind the variables have to be of; undefined for any. */
  readonly bodies: readonly (CelType | undefined)[]
  readonly result: (bodies: readonly CelType[], item: CelType, range: CelType) => CelType
  readonly run: (items: Items, bodies: readonly Run[], frame: Frame) => Value
}

/** The items of a collection, each put in place when it is asked for. */
interface Items {
  readonly count: number
  readonly enter: (index: number) => readonly [key: Value, value: Value]
}

function quantified(items: Items, body: Run, frame: Frame, decides: boolean): boolean {
  let failed: CelError | undefined
  for (let index = 0; index < items.count; index++) {
    items.enter(index)
    const is = tried(body, frame)
    if (is === decides) return decides
    if (is instanceof CelError) failed ??= is
    else if (typeof is !== 'boolean') failed ??= new CelError('no such overload')
  }
  if (failed !== undefined) throw failed
  return !decides
}

function only(items: Items, body: Run, frame: Frame): boolean {
  let count = 0
  for (let index = 0; index < items.count; index++) {
    items.enter(index)
    if (body(frame) === true) count += 1
  }
  return count === 1
}

function collected(
  items: Items,
  frame: Frame,
  filter: Run | undefined,
  transform: Run | undefined,
): readonly Value[] {
  const out: Value[] = []
  for (let index = 0; index < items.count; index++) {
    const [, value] = items.enter(index)
    if (filter !== undefined && filter(frame) !== true) continue
    out.push(transform === undefined ? value : transform(frame))
  }
  return out
}

function mapped(
  items: Items,
  frame: Frame,
  filter: Run | undefined,
  transform: Run,
): ReadonlyMap<Value, Value> {
  const out = new Map<Value, Value>()
  for (let index = 0; index < items.count; index++) {
    const [key] = items.enter(index)
    if (filter !== undefined && filter(frame) !== true) continue
    out.set(key, transform(frame))
  }
  return out
}

const ANY: undefined = undefined
const listOf = (item: CelType): CelType => ({ kind: 'list', item })
const last = (types: readonly CelType[]): CelType => types.at(-1) ?? DYN
const bool = (): CelType => BOOL
const keyOf = (range: CelType): CelType => (range.kind === 'map' ? range.key : INT)

function quantifier(variables: 1 | 2, decides: boolean): Comprehension {
  const run: Comprehension['run'] = (items, [body], frame) =>
    body !== undefined && quantified(items, body, frame, decides)
  return { variables, bodies: [BOOL], result: bool, run }
}

function exactlyOne(variables: 1 | 2): Comprehension {
  const run: Comprehension['run'] = (items, [body], frame) =>
    body !== undefined && only(items, body, frame)
  return { variables, bodies: [BOOL], result: bool, run }
}

function listing(variables: 1 | 2, isFiltered: boolean): Comprehension {
  return {
    variables,
    bodies: isFiltered ? [BOOL, ANY] : [ANY],
    result: (types) => listOf(last(types)),
    run: (items, bodies, frame) =>
      collected(items, frame, isFiltered ? bodies[0] : undefined, bodies.at(-1)),
  }
}

function mapping(isFiltered: boolean): Comprehension {
  return {
    variables: 2,
    bodies: isFiltered ? [BOOL, ANY] : [ANY],
    result: (types, _item, range) => ({ kind: 'map', key: keyOf(range), value: last(types) }),
    run: (items, bodies, frame) => {
      const transform = bodies.at(-1)
      if (transform === undefined) return new Map()
      return mapped(items, frame, isFiltered ? bodies[0] : undefined, transform)
    },
  }
}

/** By name and number of arguments. */
const COMPREHENSIONS: Readonly<Record<string, Comprehension>> = {
  'all/2': quantifier(1, false),
  'all/3': quantifier(2, false),
  'exists/2': quantifier(1, true),
  'exists/3': quantifier(2, true),
  'exists_one/2': exactlyOne(1),
  'existsOne/2': exactlyOne(1),
  'existsOne/3': exactlyOne(2),
  'map/2': listing(1, false),
  'map/3': listing(1, true),
  'filter/2': {
    variables: 1,
    bodies: [BOOL],
    result: (_types, item) => listOf(item),
    run: (items, [filter], frame) => collected(items, frame, filter, undefined),
  },
  'transformList/3': listing(2, false),
  'transformList/4': listing(2, true),
  'transformMap/3': mapping(false),
  'transformMap/4': mapping(true),
}

function comprehension(
  { target, args, scope, node }: MacroCall,
  { variables, bodies, result, run }: Comprehension,
): Part {
  const range = scope.compile(target as Node, scope)
  const types = rangeTypes(range.type, variables, node, scope)
  let inner = scope
  for (let index = 0; index < variables; index++)
    inner = withVariable(inner, String(args[index]?.args), types[index] ?? DYN)
  const parts = args.slice(variables).map((arg) => scope.compile(arg, inner))
  for (const [index, wanted] of bodies.entries()) {
    const given = parts[index]?.type ?? DYN
    if (wanted !== undefined && !fits(wanted, given, new Map()))
      throw compileError(
        scope.source,
        args[variables + index]?.pos ?? node.pos,
        `expected type 'bool' but found '${typeText(given)}'`,
      )
  }
  const runs = parts.map((part) => part.run)
  const slot = scope.depth
  return {
    type: result(
      parts.map(({ type }) => type),
      types.at(-1) ?? DYN,
      range.type,
    ),
    run: (frame) => run(itemsOf(range.run(frame), variables, slot, frame), runs, frame),
  }
}

/** The types of the variables that stand for an item of a collection. */
function rangeTypes(type: CelType, variables: 1 | 2, node: Node, scope: Scope): readonly CelType[] {
  if (type.kind === 'dyn') return [DYN, DYN].slice(0, variables)
  if (type.kind === 'list') return variables === 1 ? [type.item] : [INT, type.item]
  if (type.kind === 'map') return variables === 1 ? [type.key] : [type.key, type.value]
  throw compileError(
    scope.source,
    node.start,
    `expression of type '${typeText(type)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
  )
}

function itemsOf(range: Value, variables: 1 | 2, slot: number, frame: Frame): Items {
  const keys = isValueMap(range) ? [...range.keys()] : undefined
  if (keys === undefined && !isValueList(range)) throw new CelError('no such overload')
  const count = keys?.length ?? (range as readonly Value[]).length
  const enter = (index: number): readonly [Value, Value] => {
    spend(frame, 1)
    const key: Value = keys === undefined ? BigInt(index) : (keys[index] ?? null)
    const value =
      keys === undefined
        ? (range as readonly Value[])[index]
        : lookUp(range as ReadonlyMap<Value, Value>, key)
    if (variables === 2) {
      frame.slots[slot] = key
      frame.slots[slot + 1] = value ?? null
      return [key, value ?? null]
    }
    const only = keys === undefined ? (value ?? null) : key
    frame.slots[slot] = only
    return [key, only]
  }
  return { count, enter }
}
