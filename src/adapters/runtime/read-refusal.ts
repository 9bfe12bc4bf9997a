import type { IncomingMessage } from 'node:http'

/** How much of a refusal is read. */
const REFUSAL_CHARACTERS = 1_000

/** The words in which a server refuses, as far as they come: it may end before it has said them. Never rejects. */
export async function readRefusal(response: IncomingMessage): Promise<string> {
  let text = ''
  try {
    for await (const piece of response.setEncoding('utf8')) {
      if (text.length < REFUSAL_CHARACTERS) text += String(piece)
    }
  } catch {
    // What was said counts.
  }
  return text.trim().slice(0, REFUSAL_CHARACTERS)
}
