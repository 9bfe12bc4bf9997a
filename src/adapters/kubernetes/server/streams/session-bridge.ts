import type { ProcessSession, TerminalSize } from '../../../../core/interfaces/process-session.ts'
import type { JsonObject } from '../../objects/types.ts'
import { endStatus } from './session-status.ts'

/** The client's side of a session, whatever protocol it speaks. */
export interface SessionClient {
  /** Resolves when the client has left. */
  readonly gone: Promise<void>
  /** Hands input over to the process until there is no more. */
  feed(session: ProcessSession): Promise<void>
  /** @throws when the client has left. */
  write(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void>
  /** Says how it ended, after the last output. */
  finish(status: JsonObject): Promise<void>
}

/** The longest text of a terminal's size that is kept until it is whole. */
const SIZE_CHARACTERS_MAX = 1_024

/**
 * Connects a client with a process until one of them ends. A process whose client has left is
 * aborted. Never rejects.
 */
export async function runSession(session: ProcessSession, client: SessionClient): Promise<void> {
  void client.gone.then(() => session.abort())
  client.feed(session).catch(() => session.abort())
  try {
    for await (const { stream, bytes } of session.output) await client.write(stream, bytes)
    await client.finish(endStatus(await session.ended))
  } catch {
    // Only the client's side throws: it has left.
    session.abort()
  }
}

/** Reads the sizes of a terminal, which come as JSON objects one after the other. */
export class SizeReader {
  #text = ''

  /** The newest size that is whole with this text. */
  push(bytes: Uint8Array): TerminalSize | undefined {
    this.#text += new TextDecoder().decode(bytes)
    let newest: TerminalSize | undefined
    for (let end = this.#text.indexOf('}'); end >= 0; end = this.#text.indexOf('}')) {
      newest = sizeOf(this.#text.slice(0, end + 1)) ?? newest
      this.#text = this.#text.slice(end + 1)
    }
    this.#text = this.#text.slice(0, SIZE_CHARACTERS_MAX)
    return newest
  }
}

function sizeOf(text: string): TerminalSize | undefined {
  try {
    const value = JSON.parse(text) as { readonly Width?: unknown; readonly Height?: unknown }
    const { Width: columns, Height: rows } = value
    return typeof columns === 'number' && typeof rows === 'number' ? { columns, rows } : undefined
  } catch {
    return undefined
  }
}
