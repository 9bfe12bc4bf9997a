import type { ByteStream } from '../../core/interfaces/byte-stream.ts'
import type { ProcessSession } from '../../core/interfaces/process-session.ts'
import { RuntimeError } from './index.ts'

/** How many may be open at once. */
export interface SessionLimits {
  readonly sessionsMax: number
  readonly connectionsMax: number
}

/** What an engine, or a kubelet, is asked for at most. */
export const SESSION_LIMITS: SessionLimits = { sessionsMax: 100, connectionsMax: 500 }

/** The sessions with containers that are open, and the connections to ports of pods. */
export class OpenSessions {
  readonly #limits: SessionLimits
  readonly #sessions = new Set<ProcessSession>()
  readonly #connections = new Set<ByteStream>()

  constructor(limits: SessionLimits) {
    this.#limits = limits
  }

  /** @throws RuntimeError `Unavailable` when there may be no further session. */
  checkSessions(): void {
    if (this.#sessions.size >= this.#limits.sessionsMax)
      throw new RuntimeError('Unavailable', 'too many sessions with containers are open')
  }

  /** @throws RuntimeError `Unavailable` when there may be no further connection. */
  checkConnections(): void {
    if (this.#connections.size >= this.#limits.connectionsMax)
      throw new RuntimeError('Unavailable', 'too many connections to ports of pods are open')
  }

  /** Counts a session until it has ended. */
  keepSession(session: ProcessSession): ProcessSession {
    this.#sessions.add(session)
    void session.ended.then(() => this.#sessions.delete(session))
    return session
  }

  /** Counts a connection until it is closed. */
  keepConnection<Connection extends ByteStream>(connection: Connection): Connection {
    this.#connections.add(connection)
    void connection.closed.then(() => this.#connections.delete(connection))
    return connection
  }

  /** Ends all of them, and what was started for them. */
  async close(): Promise<void> {
    const sessions = [...this.#sessions]
    for (const session of sessions) session.abort()
    for (const connection of [...this.#connections]) connection.reset('CLOSED', 'closing')
    await Promise.all(sessions.map((session) => session.ended))
  }
}
