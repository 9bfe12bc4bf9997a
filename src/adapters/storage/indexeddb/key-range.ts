import { promisifyRequest } from 'idb-keyval'

import type { KeyRange } from '../../../core/interfaces/storage.ts'
import { type Transaction, VALUES } from './database.ts'

/** Keys read by one step of a scan. */
const SCAN_MAX = 256
/** Above every byte of UTF-8. */
const LAST = Uint8Array.of(0xff)

const encoder = new TextEncoder()

/** The keys that start with `prefix` and are in `range`, or undefined when there can be none. */
export function keyRange(prefix: string, { from, to }: KeyRange): IDBKeyRange | undefined {
  const first = encoder.encode(prefix)
  const end = joined(first, LAST)
  const lower = from === undefined ? first : later(first, encoder.encode(from))
  const upper = to === undefined ? end : earlier(end, encoder.encode(to))
  if (indexedDB.cmp(lower, upper) >= 0) return undefined
  return IDBKeyRange.bound(lower, upper, false, true)
}

/** The first entries of a range, and what is left of it. */
export async function scanPage(
  { store }: Transaction,
  range: IDBKeyRange,
): Promise<{
  readonly entries: readonly (readonly [Uint8Array, unknown])[]
  readonly rest: IDBKeyRange | undefined
}> {
  const values = store(VALUES)
  const [keys, found] = await Promise.all([
    promisifyRequest(values.getAllKeys(range, SCAN_MAX)),
    promisifyRequest(values.getAll(range, SCAN_MAX)),
  ])
  const entries = keys.map((key, index): readonly [Uint8Array, unknown] => [
    new Uint8Array(key as ArrayBuffer),
    found[index],
  ])
  const last = keys.at(-1)
  const isEnd = keys.length < SCAN_MAX || last === undefined
  return { entries, rest: isEnd ? undefined : IDBKeyRange.bound(last, range.upper, true, true) }
}

function later(a: Uint8Array, b: Uint8Array): Uint8Array {
  return indexedDB.cmp(a, b) > 0 ? a : b
}

function earlier(a: Uint8Array, b: Uint8Array): Uint8Array {
  return indexedDB.cmp(a, b) < 0 ? a : b
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
