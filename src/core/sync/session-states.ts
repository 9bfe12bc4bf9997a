/** Where a session stands. */
export type SessionState =
  /** A dialer that was not started. */
  | 'idle'
  /** A dialer that reads its first page. */
  | 'opening'
  /** A dialer that said HELLO. */
  | 'greeting'
  /** An accepter that waits for HELLO. */
  | 'waiting'
  /** An accepter whose driver decides. */
  | 'admitting'
  /** An accepter that gathers its answer. */
  | 'answering'
  | 'live'
  | 'closed'

/** What can happen to a session, as far as it moves between states. */
export type SessionInput =
  | 'start'
  | 'page'
  | 'HELLO'
  | 'WELCOME'
  | 'EVENTS'
  | 'other frame'
  | 'CLOSE'
  | 'admission'
  | 'sent answer'
  | 'timeout'
  | 'failed'
  | 'lost'
  | 'close'

/**
 * The state that follows. An input that is not in the row of a state is a violation when it is a frame
 * (the session closes), a mistake of the driver when it is `start` or `admission` (it throws), and is
 * ignored otherwise.
 */
export const TRANSITIONS: Readonly<
  Record<SessionState, Readonly<Partial<Record<SessionInput, SessionState>>>>
> = {
  idle: { start: 'opening', failed: 'closed', lost: 'closed', close: 'closed' },
  opening: {
    page: 'greeting',
    timeout: 'closed',
    failed: 'closed',
    lost: 'closed',
    close: 'closed',
  },
  greeting: {
    WELCOME: 'live',
    CLOSE: 'closed',
    timeout: 'closed',
    failed: 'closed',
    lost: 'closed',
    close: 'closed',
  },
  waiting: {
    HELLO: 'admitting',
    CLOSE: 'closed',
    timeout: 'closed',
    failed: 'closed',
    lost: 'closed',
    close: 'closed',
  },
  admitting: {
    EVENTS: 'admitting',
    CLOSE: 'closed',
    admission: 'answering',
    timeout: 'closed',
    failed: 'closed',
    lost: 'closed',
    close: 'closed',
  },
  answering: {
    'sent answer': 'live',
    EVENTS: 'answering',
    'other frame': 'answering',
    CLOSE: 'closed',
    timeout: 'closed',
    failed: 'closed',
    lost: 'closed',
    close: 'closed',
  },
  live: {
    EVENTS: 'live',
    'other frame': 'live',
    CLOSE: 'closed',
    timeout: 'closed',
    failed: 'closed',
    lost: 'closed',
    close: 'closed',
  },
  closed: {},
}
