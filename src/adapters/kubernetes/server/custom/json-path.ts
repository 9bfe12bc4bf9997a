import type { Json } from '../../objects/types.ts'
import { isList, isObject, sameJson } from '../json.ts'

/** One step of a path. */
type Step =
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'slice'; readonly start: number | undefined; readonly end: number | undefined }
  | { readonly type: 'all' }
  | { readonly type: 'below' }
  | {
      readonly type: 'filter'
      readonly path: readonly Step[]
      readonly operator: string
      readonly value: Json
    }

/** How many values a path may lead to, and how deep `..` looks. */
const FOUND_MAX = 1_000
const DEPTH_MAX = 32

const FILTER = /^\?\(\s*@((?:\.[^\s=!<>)]+|\[[^\]]*\])*)\s*(?:(==|!=|<=|>=|<|>)\s*(.+?))?\s*\)$/s

/** A path in the language of kubectl's JSONPath, such as `.spec.ports[0]` or `.a[?(@.type=="b")].c`. */
export interface JsonPath {
  /** What it leads to in a value; empty when it leads nowhere. */
  find(value: Json): readonly Json[]
}

/** Reads a path; undefined when it is none. */
export function parsePath(text: string): JsonPath | undefined {
  const steps = parseSteps(text)
  return steps === undefined ? undefined : { find: (value) => follow(steps, value) }
}

function parseSteps(text: string): readonly Step[] | undefined {
  const steps: Step[] = []
  let rest = text
  while (rest !== '') {
    if (rest.startsWith('..')) {
      steps.push({ type: 'below' })
      rest = rest.slice(1)
    } else if (rest.startsWith('[')) {
      const end = closing(rest)
      const step = end < 0 ? undefined : bracketStep(rest.slice(1, end).trim())
      if (step === undefined) return undefined
      steps.push(step)
      rest = rest.slice(end + 1)
    } else {
      const match = /^\.?((?:\\.|[^.[\\])*)/s.exec(rest)
      const name = (match?.[1] ?? '').replace(/\\(.)/gs, '$1')
      if (match === null || match[0] === '') return undefined
      if (name === '*') steps.push({ type: 'all' })
      else if (name !== '') steps.push({ type: 'field', name })
      rest = rest.slice(match[0].length)
    }
  }
  return steps
}

/** Where the bracket that a text begins with ends; quotes may hold brackets. */
function closing(text: string): number {
  let depth = 0
  let quote = ''
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? ''
    if (quote !== '') quote = character === quote ? '' : quote
    else if (character === '"' || character === "'") quote = character
    else if (character === '[') depth += 1
    else if (character === ']') {
      depth -= 1
      if (depth === 0) return index
    }
  }
  return -1
}

function bracketStep(text: string): Step | undefined {
  if (text === '*') return { type: 'all' }
  if (/^-?\d+$/.test(text)) return { type: 'index', index: Number(text) }
  const slice = /^(-?\d*):(-?\d*)$/.exec(text)
  if (slice !== null) {
    const bound = (part: string | undefined): number | undefined =>
      part === undefined || part === '' ? undefined : Number(part)
    return { type: 'slice', start: bound(slice[1]), end: bound(slice[2]) }
  }
  const quoted = /^(['"])(.*)\1$/s.exec(text)
  if (quoted !== null) return { type: 'field', name: quoted[2] ?? '' }
  const filter = FILTER.exec(text)
  if (filter === null) return undefined
  const path = parseSteps(filter[1] ?? '')
  const value = literal(filter[3] ?? 'null')
  if (path === undefined || value === undefined) return undefined
  return { type: 'filter', path, operator: filter[2] ?? '', value }
}

function literal(text: string): Json | undefined {
  const quoted = /^(['"])(.*)\1$/s.exec(text)
  if (quoted !== null) return quoted[2] ?? ''
  if (text === 'true' || text === 'false') return text === 'true'
  if (text === 'null') return null
  return Number.isNaN(Number(text)) ? undefined : Number(text)
}

function follow(steps: readonly Step[], value: Json): readonly Json[] {
  let found: readonly Json[] = [value]
  for (const step of steps) found = found.flatMap((item) => next(step, item)).slice(0, FOUND_MAX)
  return found
}

function next(step: Step, value: Json): readonly Json[] {
  switch (step.type) {
    case 'field': {
      const found =
        isObject(value) && Object.hasOwn(value, step.name) ? value[step.name] : undefined
      return found === undefined ? [] : [found]
    }
    case 'index': {
      const found = isList(value) ? value.at(step.index) : undefined
      return found === undefined ? [] : [found]
    }
    case 'slice':
      return isList(value) ? value.slice(step.start ?? 0, step.end) : []
    case 'all':
      return childrenOf(value)
    case 'below':
      return [value, ...descendants(value, 0)]
    case 'filter':
      return childrenOf(value).filter((item) => passes(step, item))
  }
}

function childrenOf(value: Json): readonly Json[] {
  if (isList(value)) return value
  if (!isObject(value)) return []
  return Object.values(value).filter((item) => item !== undefined)
}

function descendants(value: Json, depth: number): readonly Json[] {
  if (depth > DEPTH_MAX) return []
  return childrenOf(value).flatMap((item) => [item, ...descendants(item, depth + 1)])
}

function passes(step: Extract<Step, { type: 'filter' }>, item: Json): boolean {
  const [found] = follow(step.path, item)
  if (step.operator === '') return found !== undefined
  if (found === undefined) return false
  if (step.operator === '==') return sameJson(found, step.value)
  if (step.operator === '!=') return !sameJson(found, step.value)
  if (typeof found !== typeof step.value || found === null || step.value === null) return false
  switch (step.operator) {
    case '<':
      return found < step.value
    case '<=':
      return found <= step.value
    case '>':
      return found > step.value
    default:
      return found >= step.value
  }
}
