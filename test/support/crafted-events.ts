import { createHash } from 'node:crypto'

/** One column of a change: its number and type in one, and its bytes. */
export type Column = readonly [spec: number, bytes: readonly number[]]

export interface CraftedChange {
  readonly columns: readonly Column[]
  readonly actor?: string
  readonly sequence?: number
  readonly startOp?: number
  readonly parents?: readonly string[]
}

/** A change chunk with a right checksum around whatever columns. */
export function craftChange(change: CraftedChange): Uint8Array {
  const { columns, actor = 'bbbbbbbbbbbbbbbb', parents = [] } = change
  const id = Buffer.from(actor, 'hex')
  const body = [
    ...unsigned(parents.length),
    ...parents.flatMap((hash) => [...Buffer.from(hash, 'hex')]),
  ]
  body.push(...unsigned(id.length), ...id, ...unsigned(change.sequence ?? 1))
  // No time, no message, no further actors.
  body.push(...unsigned(change.startOp ?? 1), 0, 0, 0, ...unsigned(columns.length))
  for (const [spec, bytes] of columns) body.push(...unsigned(spec), ...unsigned(bytes.length))
  for (const [, bytes] of columns) body.push(...bytes)
  const content = [1, ...unsigned(body.length), ...body]
  const digest = createHash('sha256').update(Buffer.from(content)).digest()
  return Uint8Array.from([0x85, 0x6f, 0x4a, 0x83, ...digest.subarray(0, 4), ...content])
}

/** The same operation so many times over, in a few bytes: a run in each column. */
export function repeatedOperation(count: number, key = 'a'): readonly Column[] {
  const name = [...Buffer.from(key)]
  return [
    [0x15, [...signed(count), ...unsigned(name.length), ...name]],
    [0x34, unsigned(count)],
    [0x42, [...signed(count), 1]],
    [0x56, [...signed(count), 0]],
    [0x70, [...signed(count), 0]],
  ]
}

/** LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = []
  let rest = BigInt(value)
  do {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest === 0n ? low : low | 0x80)
  } while (rest > 0n)
  return bytes
}

/** Signed LEB128. */
export function signed(value: number): number[] {
  const bytes: number[] = []
  let rest = BigInt(value)
  while (true) {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    const isLast = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)
    bytes.push(isLast ? low : low | 0x80)
    if (isLast) return bytes
  }
}
