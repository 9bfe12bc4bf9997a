import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below what systems give to outgoing connections and to who asks for any port: 32768 on Linux. */
const FIRST = 15_000
const LAST = 31_999
const TRIES_MAX = 100

/**
 * A TCP port of 127.0.0.1 that stays free between a server and the next one: what runs at the same time
 * and asks for any port is never given it.
 */
export async function steadyPort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1))
    if (await isFree(port)) return port
  }
  throw new Error(`${TRIES_MAX} ports between ${FIRST} and ${LAST} are taken`)
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
