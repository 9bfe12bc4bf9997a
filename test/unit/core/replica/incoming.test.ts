import { describe, expect, test } from 'vitest'
import { DENIED, grants, type Policy } from '../../../../src/core/access/policy.ts'
import { packEvents } from '../../../../src/core/log/entry.ts'
import { EVENT_OPERATIONS_MAX, eventExcess } from '../../../../src/core/log/event-cost.ts'
import { makeBeginning } from '../../../../src/core/log/generation-beginning.ts'
import type { DocumentRecord } from '../../../../src/core/log/records.ts'
import { checkEntry, denyEntry } from '../../../../src/core/replica/incoming.ts'
import { unpackDocument } from '../../../../src/core/replica/packed-document.ts'
import type { EntryKind } from '../../../../src/core/sync/io.ts'
import { Author } from '../../../support/author.ts'
import { craftChange, repeatedOperation } from '../../../support/crafted-events.ts'
import { sha256 } from '../../../support/memory-log.ts'
import { wireEntry } from '../../../support/raw-peer.ts'

const record: DocumentRecord = {
  collection: 'home',
  generation: 1,
  last: 1,
  entries: 1,
  bytes: 1,
  digest: new Uint8Array(16),
  deleted: false,
  left: false,
  fork: 0,
}

function denial(kind: EntryKind, to: string, read: string[], write: string[], granted: string[]) {
  const bytes = packEvents([new Author().set('a', 1).bytes])
  const entry = checkEntry(wireEntry(kind, 'd', to, bytes), sha256)
  const policy = grants({ peer: { read, write } })
  return denyEntry({ policy, principal: 'peer', granted }, entry, 'home', record)?.code
}

describe('a document is given another home', () => {
  const both = ['home', 'new']
  test('by a peer that reads and writes both places', () => {
    expect(denial('join', 'new', both, both, ['new'])).toBeUndefined()
  })
  test.each([
    ['that may not read where it is', ['new'], both, ['new']],
    ['that may not write where it is', both, ['new'], ['new']],
    ['that may not write where it goes', both, ['home'], ['new']],
    ['over a connection that does not share where it goes', both, both, ['home']],
  ])('never by a peer %s', (_, read, write, granted) => {
    expect(denial('join', 'new', read, write, granted)).toBe('ACCESS_DENIED')
  })
  test('never by a snapshot', () => {
    expect(denial('snapshot', 'new', both, both, both)).toBe('ACCESS_DENIED')
    expect(denial('snapshot', 'home', both, both, both)).toBeUndefined()
  })
})

test('a base without a state ends its document: who brings it may end it', () => {
  const mayWrite = (kinds: readonly EntryKind[]): Policy => ({
    mayRead: () => true,
    mayWrite: (_, { kind }) => (kinds.includes(kind) ? undefined : DENIED),
  })
  const denies = (kind: 'base' | 'join', deleted: boolean, kinds: readonly EntryKind[]) => {
    const base = makeBeginning(1, new Map(), undefined, sha256)
    const bytes = kind === 'join' ? packEvents([base.bytes]) : base.bytes
    const { generation } = base
    const entry = checkEntry({ ...wireEntry(kind, 'd', 'home', bytes), generation }, sha256)
    const access = { policy: mayWrite(kinds), principal: 'peer', granted: ['home'] }
    return denyEntry(access, entry, 'home', { ...record, deleted })?.code
  }
  expect(denies('base', false, ['base'])).toBe('ACCESS_DENIED')
  expect(denies('base', false, ['base', 'tombstone'])).toBeUndefined()
  expect(denies('base', true, ['base'])).toBeUndefined()
  expect(denies('join', false, ['join', 'base'])).toBe('ACCESS_DENIED')
  expect(denies('join', false, ['join', 'base', 'tombstone'])).toBeUndefined()
  expect(denies('join', false, ['join', 'tombstone'])).toBe('ACCESS_DENIED')
})

describe('the cost of an event', () => {
  test('of real ones is nothing to speak of', () => {
    const author = new Author()
    for (let i = 0; i < 50; i += 1) {
      expect(
        eventExcess(author.set(`key-${i % 7}`, i % 3 === 0 ? 'text'.repeat(i) : i).bytes),
      ).toBe(undefined)
    }
  })
  test.each([
    [1, undefined],
    [EVENT_OPERATIONS_MAX, undefined],
    [EVENT_OPERATIONS_MAX + 1, 'too large'],
    [2 ** 52, 'too large'],
  ])('of %i operations in a few bytes: %s', (count, expected) => {
    const bytes = craftChange({ columns: repeatedOperation(count) })
    expect(bytes.length).toBeLessThan(100)
    expect(eventExcess(bytes)).toBe(expected)
  })
})

test('a packed document is a list of events and nothing else', () => {
  const events = [new Uint8Array(3), new Uint8Array(300), new Uint8Array(70_000)]
  expect(unpackDocument(packEvents(events))).toEqual(events)
  expect(unpackDocument(packEvents([]))).toEqual([])
  const wrong = [
    '',
    '80',
    '8140',
    '82410140',
    '8141',
    '814101ff',
    '9f4101ff',
    '81f6',
    'a14101',
    '9b001fffffffffffff',
  ]
  const answers = wrong.map((hex) => {
    try {
      return unpackDocument(Buffer.from(hex, 'hex')).length
    } catch (error) {
      return (error as { code?: string }).code
    }
  })
  const remote = 'PROTOCOL_REMOTE'
  expect(answers).toEqual([
    remote,
    0,
    1,
    2,
    remote,
    remote,
    remote,
    remote,
    remote,
    'PROTOCOL_LIMIT_EXCEEDED',
  ])
})
