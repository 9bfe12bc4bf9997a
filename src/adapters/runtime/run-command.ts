import { concatBytes } from '../../core/bytes.ts'
import type { Clock } from '../../core/interfaces/clock.ts'
import type { ProcessSession } from '../../core/interfaces/process-session.ts'
import { RuntimeError } from './index.ts'
import type { CommandResult, CommandSpec, RuntimeSessions } from './sessions.ts'

/**
 * Runs a command through a session: {@link RuntimeSessions.run} for runtimes that have no call of
 * their own for it. The command and all that it started are killed when its time is over.
 *
 * @throws RuntimeError as `exec` does; `Unavailable` when the session breaks.
 */
export async function runCommand(
  exec: RuntimeSessions['exec'],
  containerId: string,
  spec: CommandSpec,
  clock: Clock,
): Promise<CommandResult> {
  const { command, timeoutMs, outputBytesMax } = spec
  const streams = { stdin: false, stdout: true, stderr: true, tty: false }
  const session = await exec(containerId, { ...streams, command })
  let isLate = false
  const cancel = clock.schedule(timeoutMs, () => {
    isLate = true
    session.abort()
  })
  try {
    const output = await readOutput(session, outputBytesMax)
    const end = await session.ended
    if (isLate) return { type: 'timedOut', output }
    if (end.type === 'failed') throw new RuntimeError('Unavailable', end.message)
    return { type: 'exited', exitCode: end.exitCode, output }
  } finally {
    cancel()
  }
}

async function readOutput(session: ProcessSession, bytesMax: number): Promise<string> {
  const pieces: Uint8Array[] = []
  let room = bytesMax
  for await (const { bytes } of session.output) {
    if (room > 0) pieces.push(bytes.subarray(0, room))
    room -= bytes.length
  }
  return new TextDecoder().decode(concatBytes(pieces))
}
