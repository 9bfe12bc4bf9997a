import { describe, expect, test } from 'vitest'
import type { Frame } from '../../../../src/core/sync/message.ts'
import { encodeFrame } from '../../../../src/core/sync/message-codec.ts'
import { SyncSession } from '../../../../src/core/sync/session.ts'
import {
  type SessionInput,
  type SessionState,
  TRANSITIONS,
} from '../../../../src/core/sync/session-states.ts'
import { WIRE_EXAMPLES } from '../../../support/wire-examples.ts'

const EPOCH = '00112233445566aa'
const HELLO = { ...WIRE_EXAMPLES['hello-first'], replica: 'edge' } as Frame
const WELCOME: Frame = {
  type: 'welcome',
  version: 1,
  replica: 'cloud',
  epoch: '8899aabbccddeeff',
  head: 0,
  cursor: 0,
  credit: 1_048_576,
  refused: [],
  backfill: [],
}
const EVENTS: Frame = {
  type: 'events',
  after: 0,
  upTo: 0,
  final: false,
  backfill: undefined,
  entries: [],
}
const ADMISSION = {
  peer: { replica: 'edge', epoch: undefined, cursor: 0, acked: 0, complete: [] },
  granted: ['node/edge-1'],
  refused: [],
  head: 0,
}

function drain(session: SyncSession): number {
  let read = 0
  for (let output = session.poll(); output !== undefined; output = session.poll()) {
    if (output.type === 'read') read = output.token
  }
  return read
}

function dialer(): SyncSession {
  return new SyncSession({ role: 'dialer', replica: 'edge', epoch: EPOCH })
}

/** A session in a state, and the token of its read, if one is open. */
function inState(state: SessionState): { session: SyncSession; token: number } {
  const session = ['idle', 'opening', 'greeting'].includes(state)
    ? dialer()
    : new SyncSession({ role: 'accepter', replica: 'cloud', epoch: EPOCH })
  const say = (frame: Frame): void => session.handleMessage(encodeFrame(frame), 0)
  let token = 0
  const steps: Partial<Record<SessionState, () => void>> = {
    opening: () => session.start({ peer: undefined, subscriptions: ['x'], head: 1 }, 0),
    greeting: () => session.start({ peer: undefined, subscriptions: ['x'], head: 0 }, 0),
    waiting: () => session.accept(0),
    admitting: () => say(HELLO),
    answering: () => {
      say(HELLO)
      session.handleAdmission(ADMISSION, 0)
    },
    live: () => {
      say(HELLO)
      session.handleAdmission(ADMISSION, 0)
      drain(session)
    },
    closed: () => session.close(0),
  }
  steps[state]?.()
  if (state !== 'answering') token = drain(session)
  return { session, token }
}

const INPUTS: Readonly<Record<SessionInput, (session: SyncSession, token: number) => void>> = {
  start: (session) => session.start({ peer: undefined, subscriptions: ['x'], head: 1 }, 0),
  page: (session, token) => session.handleRead(token, { entries: [], upTo: 1, end: true }, 0),
  HELLO: (session) => session.handleMessage(encodeFrame(HELLO), 0),
  WELCOME: (session) => session.handleMessage(encodeFrame(WELCOME), 0),
  EVENTS: (session) => session.handleMessage(encodeFrame(EVENTS), 0),
  'other frame': (session) => session.handleMessage(encodeFrame({ type: 'ping' }), 0),
  CLOSE: (session) => session.handleMessage(encodeFrame(WIRE_EXAMPLES['close'] as Frame), 0),
  admission: (session) => session.handleAdmission(ADMISSION, 0),
  'sent answer': (session) => void drain(session),
  timeout: (session) => {
    // A silent peer is asked once before it is given up.
    session.handleTimeout(60_000)
    session.handleTimeout(120_000)
  },
  failed: (session) =>
    session.handleFailed(1, { code: 'STORAGE_UNAVAILABLE', message: 'full', retryable: true }, 0),
  lost: (session) => session.handleClosed(0),
  close: (session) => session.close(0),
}

const FRAMES: readonly SessionInput[] = ['HELLO', 'WELCOME', 'EVENTS', 'other frame', 'CLOSE']
const MISTAKES: readonly SessionInput[] = ['start', 'admission']

describe('the table of states', () => {
  for (const state of Object.keys(TRANSITIONS) as SessionState[]) {
    for (const input of Object.keys(INPUTS) as SessionInput[]) {
      const expected = TRANSITIONS[state][input]
      if (expected !== undefined) {
        test(`${state}: ${input} leads to ${expected}`, () => {
          const { session, token } = inState(state)
          INPUTS[input](session, token)
          expect(session.state).toBe(expected)
        })
      } else if (state !== 'closed' && FRAMES.includes(input)) {
        test(`${state}: ${input} is a violation`, () => {
          const { session, token } = inState(state)
          INPUTS[input](session, token)
          expect(session.state).toBe('closed')
        })
      } else if (state !== 'closed' && MISTAKES.includes(input)) {
        test(`${state}: ${input} is a mistake of the driver`, () => {
          const { session, token } = inState(state)
          expect(() => INPUTS[input](session, token)).toThrow()
        })
      }
    }
  }

  test('closed: nothing happens any more', () => {
    for (const input of Object.keys(INPUTS) as SessionInput[]) {
      if (input === 'start') continue
      const { session, token } = inState('closed')
      INPUTS[input](session, token)
      expect(session.state).toBe('closed')
      expect(session.poll()).toBeUndefined()
    }
  })
})
