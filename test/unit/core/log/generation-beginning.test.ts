import { describe, expect, test } from 'vitest'

import { toHex } from '../../../../src/core/bytes.ts'
import { ProtocolError } from '../../../../src/core/errors.ts'
import { cutsOf, generationOf, isNewer, type Place } from '../../../../src/core/log/generation.ts'
import { makeBeginning, readBeginning } from '../../../../src/core/log/generation-beginning.ts'
import { Author } from '../../../support/author.ts'
import { sha256 } from '../../../support/memory-log.ts'

const reach = (...places: readonly [string, Place][]) => new Map(places)
const A = 'aaaaaaaaaaaaaaaa'
const B = 'bbbbbbbbbbbbbbbb'

/** These bytes as a peer would send them after one cut. */
function read(bytes: Uint8Array) {
  return readBeginning('d', generationOf(1, toHex(sha256(bytes))), bytes, sha256)
}

describe('what a generation begins with', () => {
  test('is the same bytes for the same reach, in whatever order it was found', () => {
    const one: [string, Place] = [A, { generation: 1, sequence: 3 }]
    const two: [string, Place] = [B, { generation: 1, sequence: 300 }]
    const beginning = makeBeginning(1, reach(one, two), undefined, sha256)
    expect(makeBeginning(1, reach(two, one), undefined, sha256).bytes).toEqual(beginning.bytes)
    expect(read(beginning.bytes)).toEqual(beginning)
    expect(cutsOf(beginning.generation)).toBe(1)
  })

  test('is refused when anything about it is wrong', () => {
    const { bytes, generation } = makeBeginning(
      1,
      reach([A, { generation: 1, sequence: 3 }]),
      undefined,
      sha256,
    )
    for (let i = 0; i < bytes.length; i += 1) {
      expect(() => read(bytes.subarray(0, i))).toThrow(ProtocolError)
      const other = bytes.slice()
      other[i] = (other[i] ?? 0) ^ 0x10
      expect(() => readBeginning('d', generation, other, sha256)).toThrow(ProtocolError)
    }
    expect(() => read(Uint8Array.of(...bytes, 0))).toThrow(ProtocolError)
    const past = makeBeginning(1, reach([A, { generation, sequence: 1 }]), undefined, sha256)
    expect(() => read(past.bytes)).toThrow('past its own generation')
    const foreign = makeBeginning(1, reach(), new Author().set('a', 1), sha256)
    expect(() => read(foreign.bytes)).toThrow('not a first change')
  })

  test('counts before another one of as many cuts when it reaches further', () => {
    const little = makeBeginning(1, reach([A, { generation: 1, sequence: 3 }]), undefined, sha256)
    const more = makeBeginning(1, reach([A, { generation: 1, sequence: 4 }]), undefined, sha256)
    const later = makeBeginning(2, reach(), undefined, sha256)
    expect(isNewer(more, little)).toBe(true)
    expect(isNewer(little, more)).toBe(false)
    expect(isNewer(later, more)).toBe(true)
    const same = makeBeginning(1, reach([B, { generation: 1, sequence: 3 }]), undefined, sha256)
    expect(isNewer(same, little)).not.toBe(isNewer(little, same))
  })
})
