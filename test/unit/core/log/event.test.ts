import { describe, expect, test } from 'vitest'

import { ProtocolError } from '../../../../src/core/errors.ts'
import { readEvent } from '../../../../src/core/log/event.ts'
import { Author } from '../../../support/author.ts'
import { sha256 } from '../../../support/memory-log.ts'

describe('readEvent', () => {
  test('reads the header of a change that Automerge made', () => {
    const author = new Author('0123456789abcdef')
    const first = author.set('a', 1)
    const second = author.set('b', 'text')
    expect(second.header).toMatchObject({
      actor: '0123456789abcdef',
      sequence: 2,
      parents: [first.header.hash],
    })
    expect(first.header).toMatchObject({
      sequence: 1,
      parents: [],
      timeSeconds: 0,
      message: undefined,
    })
  })

  test('refuses every single flipped bit', () => {
    const { bytes } = new Author().set('key', 'value')
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = bytes.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => readEvent(flipped, sha256), `bit ${bit}`).toThrow(ProtocolError)
    }
  })

  test('refuses every truncation and anything appended', () => {
    const { bytes } = new Author().set('key', 'value')
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => readEvent(bytes.slice(0, length), sha256), `${length} bytes`).toThrow(
        ProtocolError,
      )
    }
    const longer = new Uint8Array(bytes.length + 1)
    longer.set(bytes)
    expect(() => readEvent(longer, sha256)).toThrow(ProtocolError)
  })
})
