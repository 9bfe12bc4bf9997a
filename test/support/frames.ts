import fc from 'fast-check'
import type { Frame } from '../../src/core/sync/message.ts'

const position = fc.nat({ max: 2 ** 31 - 1 })
const name = fc.string({ minLength: 1, maxLength: 40 })
const epoch = fc
  .uint8Array({ minLength: 8, maxLength: 8 })
  .map((bytes) => Buffer.from(bytes).toString('hex'))
const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'))
const bytes = fc.uint8Array({ maxLength: 200 })
const code = fc.constantFrom('ACCESS_DENIED' as const, 'PROTOCOL_REMOTE' as const)
const entry = fc.record({
  kind: fc.constantFrom(
    'event' as const,
    'snapshot' as const,
    'tombstone' as const,
    'join' as const,
    'leave' as const,
  ),
  document: name,
  collection: name,
  generation: fc.nat({ max: 9 }),
  bytes,
})
const events = fc
  .record({
    after: position,
    length: fc.nat({ max: 99 }),
    final: fc.boolean(),
    backfill: fc.option(name, { nil: undefined }),
    entries: fc.array(entry, { maxLength: 8 }),
  })
  .map(
    ({ after, length, final, backfill, entries }): Frame => ({
      type: 'events',
      after,
      upTo: after + length,
      final,
      backfill,
      entries,
    }),
  )

const mark = fc.uint8Array({ minLength: 8, maxLength: 8 })
const names = fc.option(
  fc.array(mark, { maxLength: 4 }).map((all) => Uint8Array.from(all.flatMap((one) => [...one]))),
  { nil: undefined },
)
const answer = fc.oneof(
  fc.constant({ kind: 'equal' as const }),
  mark.map((fingerprint) => {
    const documents = ['a', 'b'].map((document) => ({ document, fingerprint }))
    return { kind: 'documents' as const, documents }
  }),
  fc
    .record({ fingerprint: mark, to: fc.option(fc.constant('z'), { nil: undefined }) })
    .map(({ fingerprint, to }) => ({
      kind: 'parts' as const,
      parts: [
        { to: 'm', fingerprint },
        { to, fingerprint },
      ],
    })),
)
const reconcile: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant('ask-ranges' as const),
    question: fc.nat({ max: 9 }),
    ranges: fc.array(
      fc.record({
        collection: name,
        from: fc.constantFrom('', 'a'),
        to: fc.constantFrom(undefined, 'b'),
        fingerprint: fc.option(mark, { nil: undefined }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  }),
  fc.record({
    type: fc.constant('tell-ranges' as const),
    question: fc.nat({ max: 9 }),
    answers: fc.array(answer, { minLength: 1, maxLength: 4 }),
  }),
  fc.record({
    type: fc.constant('ask-entries' as const),
    question: fc.nat({ max: 9 }),
    collection: fc.constantFrom('open', 'shared'),
    documents: fc.array(
      fc.record({
        document: name,
        home: fc.constantFrom('here' as const, 'none' as const, 'left' as const, {
          collection: 'elsewhere',
        }),
        generation: fc.nat({ max: 9 }),
        moves: fc.nat({ max: 9 }),
        names,
      }),
      { minLength: 1, maxLength: 4 },
    ),
  }),
  fc.record({
    type: fc.constant('tell-entries' as const),
    question: fc.nat({ max: 9 }),
    follows: fc.boolean(),
    wants: fc.array(fc.record({ document: name, whole: fc.boolean(), names }), { maxLength: 3 }),
  }),
)

/** Any frame that a peer may send, valid by itself. */
export const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc
    .record({
      type: fc.constant('hello' as const),
      versions: fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 4 }),
      replica: name,
      epoch,
      head: position,
      peerEpoch: fc.option(epoch, { nil: undefined }),
      cursor: position,
      acked: position,
      credit: position,
      subscriptions: fc.array(name, { maxLength: 5 }),
      token: fc.option(bytes, { nil: undefined }),
    })
    .map(
      (hello): Frame => ({ ...hello, incomplete: hello.subscriptions.map((_, index) => index) }),
    ),
  fc.record({
    type: fc.constant('welcome' as const),
    version: fc.constant(1),
    replica: name,
    epoch,
    head: position,
    cursor: position,
    credit: position,
    refused: fc.array(fc.record({ index: fc.nat({ max: 9 }), code, message: name }), {
      maxLength: 3,
    }),
    backfill: fc.array(fc.nat({ max: 9 }), { maxLength: 3 }),
  }),
  events,
  fc
    .record({
      type: fc.constant('ack' as const),
      received: position,
      credit: position,
      upTo: position,
      filled: fc.array(name, { maxLength: 3 }),
    })
    .map((ack): Frame => ({ ...ack, durable: Math.floor(ack.received / 2) })),
  fc.record({
    type: fc.constant('rejects' as const),
    rejects: fc.array(
      fc.oneof(
        fc.record({
          document: name,
          kind: fc.constantFrom('event' as const, 'base' as const),
          hash,
          code,
          message: name,
        }),
        fc.record({
          document: name,
          kind: fc.constantFrom(
            'snapshot' as const,
            'tombstone' as const,
            'join' as const,
            'leave' as const,
          ),
          hash: fc.constant(undefined),
          code,
          message: name,
        }),
      ),
      { maxLength: 4 },
    ),
  }),
  fc.record({
    type: fc.constant('check' as const),
    attempt: fc.nat({ max: 3 }),
    digest: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    ours: position,
    theirs: position,
  }),
  fc.record({ type: fc.constant('part' as const), bytes }),
  fc.record({
    type: fc.constant('signal' as const),
    key: name,
    value: fc.option(bytes, { nil: undefined }),
  }),
  fc.record({
    type: fc.constant('subscribe' as const),
    collections: fc.array(name, { maxLength: 4 }),
  }),
  fc.record({
    type: fc.constant('grant' as const),
    granted: fc.array(name, { maxLength: 4 }),
    refused: fc.array(fc.record({ collection: name, code, message: name }), { maxLength: 3 }),
  }),
  fc.record({
    type: fc.constant('stream-open' as const),
    stream: fc.nat(),
    protocol: name,
    head: bytes,
  }),
  fc.record({ type: fc.constant('stream-bytes' as const), stream: fc.nat(), bytes }),
  fc.record({ type: fc.constant('stream-end' as const), stream: fc.nat() }),
  fc.record({
    type: fc.constant('stream-reset' as const),
    stream: fc.nat(),
    code: fc.constant('GONE'),
    message: name,
  }),
  fc.record({ type: fc.constant('stream-credit' as const), stream: fc.nat(), credit: position }),
  fc.record({
    type: fc.constant('close' as const),
    code: fc.constant('ACCESS_DENIED'),
    message: name,
    retryable: fc.boolean(),
    retryAfterMs: fc.option(fc.nat(), { nil: undefined }),
  }),
  fc.constantFrom<Frame>({ type: 'ping' }, { type: 'pong' }),
  reconcile,
)
