import { expect, test } from 'vitest'
import {
  decodeJoinToken,
  encodeJoinToken,
  type JoinToken,
  newTokenId,
  newTokenSecret,
} from '../../../examples/shared/join-token.ts'
import { ProgramError } from '../../../examples/shared/program-error.ts'

const token: JoinToken = {
  addresses: [{ host: '::1', port: 10_000 }],
  fingerprint: 'ab'.repeat(32),
  node: 'edge-1',
  id: newTokenId(),
  secret: newTokenSecret(),
}

function mistakeIn(text: string): string {
  try {
    decodeJoinToken(text)
  } catch (error) {
    if (error instanceof ProgramError && error.code === 'JOIN_TOKEN_MALFORMED') return error.message
    throw error
  }
  return ''
}

function withField(field: string, value: unknown): string {
  const text = encodeJoinToken(token).slice('tideway-join-1.'.length)
  const fields = JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>
  const changed = JSON.stringify({ ...fields, [field]: value })
  return `tideway-join-1.${Buffer.from(changed).toString('base64url')}`
}

test('a token says what was put into it', () => {
  expect(decodeJoinToken(encodeJoinToken(token))).toEqual(token)
})

test.each([
  ['nothing', ''],
  ['another kind of token', 'eyJhbGciOiJIUzI1NiJ9.e30.x'],
  ['half a token', encodeJoinToken(token).slice(0, 60)],
  ['a very long text', `tideway-join-1.${'A'.repeat(5_000)}`],
  ['no addresses', withField('addresses', [])],
  ['a bad address', withField('addresses', ['here'])],
  ['a short fingerprint', withField('fingerprint', 'ab')],
  ['a node that is no label', withField('node', 'Edge_1')],
  ['a short secret', withField('secret', 'abc')],
  ['a number for an id', withField('id', 1)],
])('%s is refused without being repeated', (_what, text) => {
  const message = mistakeIn(text)
  expect(message).toContain('--token is not a join token')
  expect(message).not.toContain(token.secret)
})
