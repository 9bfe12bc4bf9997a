import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { WebhookAddress } from '../../src/adapters/kubernetes/server/webhooks/webhook.ts'
import {
  createWebhookCaller,
  type DialService,
  type WebhookCaller,
} from '../../src/adapters/kubernetes/server/webhooks/webhook-call.ts'
import { startWebhookServer, type WebhookServer } from '../support/webhook-server.ts'

const WAIT_MS = 30_000
const SERVICE = { namespace: 'default', name: 'hooks', path: '/allow', port: 443 }
const QUESTION = JSON.stringify({ request: { uid: 'u', operation: 'CREATE', object: null } })

let hooks: WebhookServer
let caller: WebhookCaller
let dials = 0

/** A service at which nobody answers. */
const dial: DialService = () => {
  dials += 1
  return new Promise(() => undefined)
}

beforeAll(async () => {
  hooks = await startWebhookServer()
})
afterAll(() => hooks.close())
beforeEach(() => {
  dials = 0
  caller = createWebhookCaller(dial)
})
afterEach(() => {
  hooks.meanwhile = undefined
  caller.close()
})

/** The address of a path of the server; another authority more makes it another server to the caller. */
function at(path: string, more = 0): WebhookAddress {
  const caPem = Buffer.from(hooks.caBundle, 'base64').toString('latin1')
  return { url: `${hooks.url}${path}`, service: undefined, caPem: caPem + '\n'.repeat(more) }
}

test('a time that is no whole number of milliseconds is as good as any', async () => {
  const answer = await caller.call(at('/allow'), QUESTION, WAIT_MS - 0.5)
  expect(Buffer.from(answer).toString()).toContain('"allowed":true')
})

test('many other servers of webhooks do not take the connection from one that is slow', async () => {
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const isAsked = new Promise<void>((resolve) => {
    hooks.meanwhile = async (path) => {
      if (path !== '/allow/late') return
      resolve()
      await released
    }
  })
  const late = caller.call(at('/allow/late'), QUESTION, WAIT_MS)
  await isAsked
  for (let more = 1; more <= 70; more++) await caller.call(at('/allow', more), QUESTION, WAIT_MS)
  release()
  expect(Buffer.from(await late).toString()).toContain('"allowed":true')
})

test('a connection that comes too late is closed', async () => {
  const connection = new Duplex({ read: () => undefined, write: (_bytes, _code, done) => done() })
  let give: (connection: Duplex) => void = () => undefined
  const given = new Promise<Duplex>((resolve) => {
    give = resolve
  })
  const own = createWebhookCaller(() => given)
  const call = own.call({ url: undefined, service: SERVICE, caPem: '' }, QUESTION, 100)
  await expect(call).rejects.toThrow(/context deadline exceeded$/)
  const closed = once(connection, 'close')
  give(connection)
  await closed
  own.close()
})

test('a service is dialled so many times at once, and who waits waits no longer than its time', async () => {
  const calls = Array.from({ length: 40 }, () =>
    caller.call({ url: undefined, service: SERVICE, caPem: '' }, QUESTION, 3_000),
  )
  const ended = Promise.allSettled(calls)
  await setImmediate()
  expect(dials).toBe(32)
  for (const end of await ended)
    expect(end).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringMatching(/context deadline exceeded$/) as string },
    })
})
