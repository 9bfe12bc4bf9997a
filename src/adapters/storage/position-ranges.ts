import type { Position } from '../../core/ids.ts'

/** Positions from `first` to `last`, both included. */
export interface PositionRange {
  readonly first: Position
  readonly last: Position
}

/** Joins ascending positions that follow each other into ranges. */
export function rangesOf(positions: readonly Position[]): readonly PositionRange[] {
  const ranges: { first: Position; last: Position }[] = []
  for (const position of positions) {
    const open = ranges.at(-1)
    if (open !== undefined && open.last + 1 === position) open.last = position
    else ranges.push({ first: position, last: position })
  }
  return ranges
}

/** Every position of all of them, as ranges that do not touch, in order. */
export function mergeRanges(ranges: readonly PositionRange[]): readonly PositionRange[] {
  const merged: { first: Position; last: Position }[] = []
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const open = merged.at(-1)
    if (open !== undefined && range.first <= open.last + 1) {
      open.last = Math.max(open.last, range.last)
    } else {
      merged.push({ ...range })
    }
  }
  return merged
}
