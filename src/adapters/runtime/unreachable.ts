import { RuntimeError } from './index.ts'

/** What the system says of a socket, in words. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket',
  ECONNREFUSED: 'nobody listens there',
  EACCES: 'permission denied',
}

/**
 * What is told when no engine answers at a socket.
 *
 * @param failure what came of asking, with the error of the system somewhere in its message, or in other words of who answers.
 * @returns `Unavailable`, with the socket and the reason in the message.
 */
export function noEngineAt(socketPath: string, failure: Error): RuntimeError {
  const code = /\bconnect (E[A-Z]+)\b/.exec(failure.message)?.[1]
  const words = code === undefined ? undefined : REASONS[code]
  const told = words === undefined ? (code ?? failure.message) : `${words} (${code})`
  const message = `no container engine answers at ${socketPath}: ${told}`
  return new RuntimeError('Unavailable', message, { cause: failure })
}
