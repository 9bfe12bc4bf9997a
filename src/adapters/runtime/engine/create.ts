import type { EngineClient } from './client.ts'
import { isTaken } from './errors.ts'
import type { CreateMessage } from './messages.ts'

/**
 * Makes a container without starting it.
 *
 * @param name what it is called where that is free: names are only there for people, and labels say whose it is.
 * @returns its id.
 * @throws as {@link EngineClient.call}.
 */
export async function createNamed(
  client: EngineClient,
  name: string,
  body: CreateMessage,
  timeoutMs: number,
): Promise<string> {
  const call = { method: 'POST', path: '/containers/create', body, timeoutMs } as const
  try {
    return (await client.call<Made>({ ...call, query: { name } })).Id
  } catch (error) {
    if (!isTaken(error)) throw error
    return (await client.call<Made>(call)).Id
  }
}

interface Made {
  readonly Id: string
}
