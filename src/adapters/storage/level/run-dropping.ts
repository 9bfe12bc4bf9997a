import type { Position } from '../../../core/ids.ts'
import type { StoredRecord } from '../../../core/interfaces/storage.ts'
import type { Level, LevelOperation } from './database.ts'
import { decodeRun, type IndexEntry } from './index-run.ts'
import {
  afterPrefix,
  collectionPrefix,
  documentPrefix,
  INDEX_PREFIXES,
  positionOf,
  prefixOf,
  withPosition,
} from './keys.ts'
import { rebuiltRun } from './run-rebuilding.ts'
import { putRun } from './run-writing.ts'

/** Runs passed by one after the other before a jump: a jump costs about as much. */
const PASSED_MAX = 16

interface Dropping {
  readonly level: Level
  readonly operations: LevelOperation[]
  readonly gone: ReadonlySet<Position>
}

/** Which positions go from which part of an index. */
export class RunPlaces {
  readonly all: Set<Position> = new Set()
  readonly collections: Map<string, Position[]> = new Map()
  readonly documents: Map<string, Position[]> = new Map()
  /** What one of the records belonged to is not known. */
  hasUnknown = false

  /** Adds a position, in ascending order, with its record unless that is missing or damaged. */
  add(position: Position, record: StoredRecord | undefined): void {
    this.all.add(position)
    if (record === undefined) {
      this.hasUnknown = true
      return
    }
    addTo(this.collections, record.collection, position)
    addTo(this.documents, record.document, position)
  }
}

/**
 * Adds to `operations` what writes the runs that name dropped positions without them. A damaged run is
 * made anew on the way.
 */
export async function dropFromRuns(
  level: Level,
  places: RunPlaces,
  operations: LevelOperation[],
): Promise<void> {
  const dropping: Dropping = { level, operations, gone: places.all }
  if (places.hasUnknown) {
    for (const prefix of INDEX_PREFIXES) await dropAnywhere(dropping, prefix)
    return
  }
  for (const [collection, positions] of places.collections) {
    await dropUnder(dropping, collectionPrefix(collection), positions)
  }
  for (const [document, positions] of places.documents) {
    await dropUnder(dropping, documentPrefix(document), positions)
  }
}

/** A walk over a whole index. */
async function dropAnywhere(dropping: Dropping, index: Uint8Array): Promise<void> {
  const runs = dropping.level.iterator({ gte: index, lt: afterPrefix(index) })
  for await (const [key, value] of runs) await dropFrom(dropping, key, value)
}

/** A walk over the runs of one prefix that name these ascending positions. */
async function dropUnder(
  dropping: Dropping,
  prefix: Uint8Array,
  positions: readonly Position[],
): Promise<void> {
  const first = withPosition(prefix, positions[0] ?? 0)
  const runs = dropping.level.iterator({ gte: first, lt: afterPrefix(prefix) })
  try {
    let reached = 0
    for (const position of positions) {
      if (position <= reached) continue
      let run = await runs.next()
      for (let passed = 1; run !== undefined && positionOf(run[0]) < position; passed += 1) {
        if (passed === PASSED_MAX) runs.seek(withPosition(prefix, position))
        run = await runs.next()
      }
      if (run === undefined) return
      reached = positionOf(run[0])
      await dropFrom(dropping, run[0], run[1])
    }
  } finally {
    await runs.close()
  }
}

async function dropFrom(dropping: Dropping, key: Uint8Array, value: Uint8Array): Promise<void> {
  const { level, operations, gone } = dropping
  const last = positionOf(key)
  const intact = decodeRun(key, value)
  const entries = intact ?? (await rebuilt(level, key))
  const left = entries.filter(({ position }) => !gone.has(position))
  const isTouched = left.length < entries.length || (intact === undefined && gone.has(last))
  if (!isTouched) return
  if (left.at(-1)?.position !== last) operations.push({ type: 'del', key: key.slice() })
  if (left.length > 0) operations.push(putRun(prefixOf(key), left))
}

async function rebuilt(level: Level, key: Uint8Array): Promise<readonly IndexEntry[]> {
  const prefix = prefixOf(key)
  const before = { gte: prefix, lt: key, reverse: true, limit: 1 }
  const [previous] = await level.keys(before).all()
  const after = previous === undefined ? 0 : positionOf(previous)
  return rebuiltRun(level, { prefix, after, upTo: positionOf(key) })
}

function addTo(places: Map<string, Position[]>, name: string, position: Position): void {
  const positions = places.get(name)
  if (positions === undefined) places.set(name, [position])
  else positions.push(position)
}
