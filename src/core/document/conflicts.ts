import type { Doc } from '@automerge/automerge/slim'

import type { EventHash } from '../ids.ts'
import type { ReplicaOf, Signature } from './authorship.ts'
import { allChanges, type ChangeFacts, type StoredValue, valuesAt } from './automerge-state.ts'
import type { Readable } from './history.ts'
import type { DocumentPath } from './path.ts'
import { isNode, listKeys, readValue } from './read-value.ts'
import { LIST_MARK, SET_MARK } from './shape.ts'
import { equalValues, freeze, isReserved, type JsonValue } from './value.ts'

/** How many paths with conflicts are listed when nothing else is said. */
export const CONFLICTS_LIMIT = 100

/** One of the values that concurrent edits gave to one field. */
export interface ConflictingValue extends Signature {
  readonly value: JsonValue
  /** The edit that wrote it. */
  readonly hash: EventHash
  /** Whether this is the value that the document shows, here and on every replica. */
  readonly wins: boolean
}

/** A place in a document as Automerge holds it. */
interface Place {
  readonly container: object
  readonly key: string | number
}

/** The values of one field, the winner first; none when they are all the same. */
export function conflictsAt(
  { state: doc, authorship }: Readable,
  path: DocumentPath,
  replicaOf: ReplicaOf,
): readonly ConflictingValue[] {
  const place = find(doc, path)
  if (place === undefined) return []
  const values = differing(doc, place)
  if (values.length === 0) return []
  const changes = allChanges(doc)
  return values.flatMap(({ value, counter, actor }, index) => {
    const change = changes.find((facts) => wrote(facts, actor, counter))
    if (change === undefined) return []
    return {
      value: freeze(readValue(value)),
      hash: change.hash,
      ...authorship.signature(change, replicaOf),
      wins: index === 0,
    }
  })
}

/** The paths of fields that have several values, up to `limit`. */
export function conflictPaths({ state: doc }: Readable, limit: number): readonly DocumentPath[] {
  const found: DocumentPath[] = []
  const open: Part[] = [...parts(doc, [])].reverse()
  for (let next = open.pop(); next !== undefined && found.length < limit; next = open.pop()) {
    if (differing(doc, next).length > 0) found.push(next.path)
    const { container, key, path } = next
    open.push(...[...parts((container as Record<string | number, unknown>)[key], path)].reverse())
  }
  return found
}

/** Different values at one place, the winner first; empty when there are not several. */
function differing(doc: Doc<unknown>, { container, key }: Place): readonly StoredValue[] {
  const values = valuesAt(doc, container, key)
  const [first] = values
  if (first === undefined || values.length < 2) return []
  const shown = readValue(first.value)
  if (values.every(({ value }) => equalValues(readValue(value), shown))) return []
  return [...values].sort((a, b) => b.counter - a.counter || (a.actor < b.actor ? 1 : -1))
}

function wrote({ actor, startOp, maxOp }: ChangeFacts, author: string, counter: number): boolean {
  return actor === author && startOp <= counter && counter <= maxOp
}

/** A place with its path in the value. */
interface Part extends Place {
  readonly path: DocumentPath
}

/** What a map or list shows, in order. */
function parts(node: unknown, path: DocumentPath): readonly Part[] {
  if (Array.isArray(node)) {
    return node.map((_, key) => ({ container: node, key, path: [...path, key] }))
  }
  if (!isNode(node)) return []
  const list = node[LIST_MARK]
  if (isNode(list)) {
    return listKeys(list).map((key, step) => ({ container: list, key, path: [...path, step] }))
  }
  // What is in a set is there or not: nothing to disagree about.
  if (isNode(node[SET_MARK])) return []
  const keys = Object.keys(node).filter((key) => !isReserved(key))
  return keys.sort().map((key) => ({ container: node, key, path: [...path, key] }))
}

function find(doc: Doc<unknown>, path: DocumentPath): Place | undefined {
  let node: unknown = doc
  let place: Place | undefined
  for (const step of path) {
    place = within(node, step)
    if (place === undefined) return undefined
    node = (place.container as Record<string | number, unknown>)[place.key]
  }
  return place
}

function within(node: unknown, step: string | number): Place | undefined {
  if (Array.isArray(node)) {
    return typeof step === 'number' && step in node ? { container: node, key: step } : undefined
  }
  if (!isNode(node)) return undefined
  const list = node[LIST_MARK]
  if (isNode(list)) {
    const key = typeof step === 'number' ? listKeys(list)[step] : step
    return key !== undefined && Object.hasOwn(list, key) ? { container: list, key } : undefined
  }
  const key = String(step)
  return Object.hasOwn(node, key) && !isReserved(key) ? { container: node, key } : undefined
}
