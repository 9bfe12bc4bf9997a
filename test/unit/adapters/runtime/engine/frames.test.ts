import { expect, test } from 'vitest'
import { type Frame, FrameReader } from '../../../../../src/adapters/runtime/engine/frames.ts'

function frame(stream: number, text: string): Buffer {
  const head = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0])
  head.writeUInt32BE(text.length, 4)
  return Buffer.concat([head, Buffer.from(text)])
}

function joined(frames: readonly Frame[]): Record<Frame['stream'], string> {
  const all = { stdout: '', stderr: '' }
  for (const { stream, bytes } of frames) all[stream] += bytes.toString()
  return all
}

const SENT = Buffer.concat([frame(1, 'one\n'), frame(2, 'bad\n'), frame(1, ''), frame(1, 'two\n')])

test('pieces come out with their streams, however they were cut on the way', () => {
  for (let size = 1; size <= SENT.length; size += 1) {
    const reader = new FrameReader()
    const frames: Frame[] = []
    for (let at = 0; at < SENT.length; at += size)
      frames.push(...reader.read(SENT.subarray(at, at + size)))
    expect(joined(frames)).toEqual({ stdout: 'one\ntwo\n', stderr: 'bad\n' })
  }
})

test('a piece is given before it is whole', () => {
  const reader = new FrameReader()
  const whole = frame(1, 'long line')
  expect(joined(reader.read(whole.subarray(0, 12))).stdout).toBe('long')
  expect(joined(reader.read(whole.subarray(12))).stdout).toBe(' line')
})
