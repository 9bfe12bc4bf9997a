import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { warnOf } from '../../../../../src/adapters/kubernetes/server/warnings.ts'

const response = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()))
const told = (from: ServerResponse): readonly string[] =>
  [from.getHeader('Warning') ?? []].flat().map(String)

test('a warning is told once, with what a header cannot have left out', () => {
  const answer = response()
  warnOf(answer, ['one "two" \\', 'one "two" \\', '', 'a\nb', 'ü'])
  warnOf(answer, ['ü', 'three'])
  const bytes = Buffer.from('ü').toString('latin1')
  expect(told(answer)).toEqual(['299 - "one \\"two\\" \\\\"', `299 - "${bytes}"`, '299 - "three"'])
})

test('a long warning stays whole while there is room, and is cut with all others when there is none', () => {
  const answer = response()
  warnOf(answer, ['a'.repeat(4_000)])
  expect(told(answer)[0]).toHaveLength(4_000 + 8)
  for (let i = 0; i < 1_000; i++) warnOf(answer, [`${i} ${'b'.repeat(500)}`])
  const all = told(answer)
  expect(all).toHaveLength(16)
  for (const text of all) expect(text).toHaveLength(256 + 8)
})
