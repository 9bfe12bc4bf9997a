import type { Doc } from '@automerge/automerge'

import type { EventHash } from '../ids.ts'
import { allChanges, type ChangeFacts, type StoredValue, valuesAt } from './automerge-state.ts'
import { type Author, authorOf, type ReplicaOf, timeOf } from './history.ts'
import type { DocumentPath } from './path.ts'
import { isNode, listKeys, readValue } from './read-value.ts'
import { LIST_MARK, SET_MARK } from './shape.ts'
import { equalValues, freeze, isReserved, type JsonValue } from './value.ts'

/** How many paths with conflicts are listed when nothing else is said. */
export const CONFLICTS_LIMIT = 100

/** One of the values that concurrent edits gave to one field. */
export interface ConflictingValue extends Author {
  readonly value: JsonValue
  /** The edit that wrote it. */
  readonly hash: EventHash
  readonly timeMs: number | undefined
  readonly message: string | undefined
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
  doc: Doc<unknown>,
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
      ...authorOf(change, replicaOf),
      timeMs: timeOf(change),
      message: change.message ?? undefined,
      wins: index === 0,
    }
  })
}

/** The paths of fields that have several values, up to `limit`. */
export function conflictPaths(doc: Doc<unknown>, limit: number): readonly DocumentPath[] {
  const found: DocumentPath[] = []
  const open: { readonly node: unknown; readonly path: DocumentPath }[] = [{ node: doc, path: [] }]
  for (let next = open.pop(); next !== undefined && found.length < limit; next = open.pop()) {
    const { path } = next
    const inside = places(next.node).map(({ step, place, node }) => {
      if (found.length < limit && differing(doc, place).length > 0) found.push([...path, step])
      return { node, path: [...path, step] }
    })
    // The first is looked at next.
    open.push(...inside.reverse())
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

/** What a map or list shows, by the last step of its path. */
function places(
  node: unknown,
): readonly { readonly step: string | number; readonly place: Place; readonly node: unknown }[] {
  if (Array.isArray(node)) {
    return node.map((item: unknown, key) => ({
      step: key,
      place: { container: node, key },
      node: item,
    }))
  }
  if (!isNode(node)) return []
  const list = node[LIST_MARK]
  if (isNode(list)) {
    return listKeys(list).map((key, step) => ({
      step,
      place: { container: list, key },
      node: list[key],
    }))
  }
  // What is in a set is there or not: nothing to disagree about.
  if (isNode(node[SET_MARK])) return []
  return Object.keys(node)
    .filter((key) => !isReserved(key))
    .sort()
    .map((key) => ({ step: key, place: { container: node, key }, node: node[key] }))
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
