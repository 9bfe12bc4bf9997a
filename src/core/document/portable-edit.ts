import { Counter, type Doc, ImmutableString, type Patch } from '@automerge/automerge/slim'
import { decodeCbor } from '../cbor-reader.ts'
import { encodeCbor } from '../cbor-writer.ts'
import { isNode } from './read-value.ts'

type Draft = Record<string, unknown>

/** What one step does at its path. Numbers: they are stored. Only ever added to. */
const SET = 0
const DELETE = 1
const INCREMENT = 2
/** A map, unless there is one. */
const MAP = 3
/** A map in place of whatever is there. */
const NEW_MAP = 4

/** One thing that an edit did: where, what, and with which value. */
type Step = readonly [path: readonly string[], kind: number, value?: unknown]

/** The state of a document as plain nested values, as Automerge shows it. */
type State = Doc<unknown> | Draft

/**
 * What an edit did, told by paths and values alone, so that it can be done again in a document with
 * another history. Lists and texts are told as a whole; maps, with them lists by merge keys and sets,
 * counters and single values one by one.
 *
 * @param patches from the state before to the state after.
 */
export function portableEdit(
  patches: readonly Patch[],
  before: () => State,
  after: () => State,
): Uint8Array {
  const steps = new Map<string, Step>()
  const wholes = new Map<string, readonly string[]>()
  const put = (step: Step): void => {
    const name = nameOf(step[0])
    steps.delete(name)
    steps.set(name, step)
  }
  for (const patch of patches) {
    const inside = patch.path.findIndex((key) => typeof key !== 'string')
    const path = (inside < 0 ? patch.path : patch.path.slice(0, inside)).map(String)
    if (path.length === 0) continue
    if (inside >= 0 || (patch.action === 'put' && isWhole(patch.value))) {
      wholes.set(nameOf(path), path)
      continue
    }
    if (patch.action === 'del') put([path, DELETE])
    else if (patch.action === 'inc') put([path, INCREMENT, patch.value])
    else if (patch.action === 'put') {
      if (isEmptyMap(patch.value)) put([path, isNode(valueAt(before(), path)) ? NEW_MAP : MAP])
      else put([path, SET, encodeNode(patch.value)])
    }
  }
  for (const path of wholes.values()) put([path, SET, encodeNode(valueAt(after(), path))])
  return encodeCbor([...steps.values()].sort(([a], [b]) => comparePaths(a, b)))
}

/** Does an edit again. What it did inside of something that is no longer there is left out. */
export function applyPortable(draft: Draft, edit: Uint8Array): void {
  for (const [path, kind, value] of decodeCbor(edit) as readonly Step[]) {
    const key = path.at(-1)
    const parent = valueAt(draft, path.slice(0, -1))
    if (key === undefined || !isNode(parent)) continue
    const current = Object.hasOwn(parent, key) || key in parent ? parent[key] : undefined
    if (kind === SET) parent[key] = decodeNode(value)
    else if (kind === DELETE && current !== undefined) delete parent[key]
    else if (kind === INCREMENT && current instanceof Counter && typeof value === 'number') {
      // The draft of a counter has `increment`, which the type of a stored counter does not show.
      ;(current as Counter & { increment(by: number): void }).increment(value)
    } else if (kind === NEW_MAP || (kind === MAP && !isNode(current))) parent[key] = {}
  }
}

/** A value of a document as a value that can be put into another one: the same, without its history. */
export function copyNode(node: unknown): unknown {
  if (node instanceof ImmutableString) return new ImmutableString(node.val)
  if (node instanceof Counter) return new Counter(Number(node.value))
  if (node instanceof Date) return new Date(node.getTime())
  if (node instanceof Uint8Array) return node.slice()
  if (Array.isArray(node)) return node.map(copyNode)
  if (!isNode(node)) return node
  const copy: Draft = {}
  // Sorted: Automerge orders keys by their history, which is not the same on every replica.
  for (const key of Object.keys(node).sort()) copy[key] = copyNode(node[key])
  return copy
}

function isWhole(value: unknown): boolean {
  return typeof value === 'string' || Array.isArray(value)
}

function isEmptyMap(value: unknown): boolean {
  return isNode(value) && Object.keys(value).length === 0
}

function valueAt(state: unknown, path: readonly string[]): unknown {
  let node = state
  for (const key of path) {
    if (!isNode(node) || !(key in node)) return undefined
    node = node[key]
  }
  return node
}

function nameOf(path: readonly string[]): string {
  return JSON.stringify(path)
}

/** Parents before what is in them. */
function comparePaths(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    const left = a[i] ?? ''
    const right = b[i] ?? ''
    if (left !== right) return left < right ? -1 : 1
  }
  return a.length - b.length
}

// Values in CBOR: what most documents hold stands for itself, the rest is an array with a letter.

function encodeNode(node: unknown): unknown {
  if (node instanceof ImmutableString) return node.val
  if (typeof node === 'string') return ['t', node]
  if (node instanceof Counter) return ['c', Number(node.value)]
  if (node instanceof Date) return ['d', node.getTime()]
  if (node instanceof Uint8Array) return node
  if (Array.isArray(node)) return ['l', node.map(encodeNode)]
  if (!isNode(node)) return node ?? null
  const keys = Object.keys(node).sort()
  return ['m', keys.map((key) => [key, encodeNode(node[key])])]
}

function decodeNode(value: unknown): unknown {
  if (typeof value === 'string') return new ImmutableString(value)
  if (!Array.isArray(value)) return value
  const [letter, content] = value as [string, never]
  switch (letter) {
    case 't':
      return content
    case 'c':
      return new Counter(content)
    case 'd':
      return new Date(content)
    case 'l':
      return (content as unknown[]).map(decodeNode)
    default:
      return Object.fromEntries(
        (content as [string, unknown][]).map(([key, item]) => [key, decodeNode(item)]),
      )
  }
}
