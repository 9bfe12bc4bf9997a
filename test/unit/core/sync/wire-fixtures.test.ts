import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { fromHex, toHex } from '../../../../src/core/bytes.ts'
import { encodeCbor } from '../../../../src/core/cbor-writer.ts'
import { FRAME_NUMBERS } from '../../../../src/core/sync/message.ts'
import { decodeMessage, encodeFrame } from '../../../../src/core/sync/message-codec.ts'
import { WIRE_EXAMPLES } from '../../../support/wire-examples.ts'

const folder = fileURLToPath(new URL('../../../fixtures/wire/v1/', import.meta.url))
const stored = readdirSync(folder).map((file) => file.replace(/\.hex$/, ''))

describe('the bytes of version 1', () => {
  test('are kept for every example, and every frame type has one', () => {
    expect(Object.keys(WIRE_EXAMPLES).sort()).toEqual([...stored].sort())
    const types = new Set(Object.values(WIRE_EXAMPLES).map((frame) => frame.type))
    expect([...types].sort()).toEqual(Object.keys(FRAME_NUMBERS).sort())
  })

  for (const [name, frame] of Object.entries(WIRE_EXAMPLES)) {
    test(`of ${name} never change`, () => {
      const hex = readFileSync(`${folder}${name}.hex`, 'utf8').trim()
      expect(toHex(encodeFrame(frame))).toBe(hex)
      expect(decodeMessage(fromHex(hex)).frames?.map((item) => item.frame)).toEqual([frame])
    })
  }
})

describe('frames of later versions', () => {
  test('of an unknown type from 64 on are ignored, below they are refused', () => {
    expect(decodeMessage(Uint8Array.of(0x82, 0x18, 0x40, 0xa0)).frames).toEqual([])
    expect(decodeMessage(Uint8Array.of(0x81, 0x18, 0x3f)).violation?.message).toBe(
      'frame: type 63 is unknown',
    )
  })

  test('may have more fields', () => {
    expect(decodeMessage(Uint8Array.of(0x83, 16, 1, 0x61, 0x78)).frames?.[0]?.frame).toEqual({
      type: 'ping',
    })
  })

  test('that are wrong are named with their field', () => {
    const wrong = encodeFrame({ type: 'signal', key: 'k', value: undefined }).slice(0, 2)
    expect(decodeMessage(Uint8Array.of(0x82, 10, 5)).violation?.message).toBe(
      'SIGNAL: key is not a text',
    )
    expect(decodeMessage(Uint8Array.of(0x81, 4)).violation?.message).toBe(
      'ACK: received is missing',
    )
    const named = ['d', 0, null, 'ACCESS_DENIED', 'no']
    expect(decodeMessage(encodeCbor([5, [named]])).violation?.message).toBe(
      'REJECTS.rejects: hash of an event or a base is missing',
    )
    expect(decodeMessage(wrong).violation?.code).toBe('PROTOCOL_REMOTE')
  })
})
