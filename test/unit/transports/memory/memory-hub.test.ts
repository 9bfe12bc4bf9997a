import { expect, test } from 'vitest'
import { ConnectionClosedError } from '../../../../src/core/errors.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'

test('who dials is what the accepting side is told', async () => {
  const hub = new MemoryHub()
  const listener = hub.listen('memory:cloud')
  const transport = hub.transport({ principal: 'edge-1', address: 'memory:edge-1' })
  const dialed = await transport.dial('memory:cloud')
  const { value: accepted } = await listener[Symbol.asyncIterator]().next()
  expect(accepted?.principal).toBe('edge-1')
  expect(accepted?.remoteAddress).toBe('memory:edge-1')
  expect(dialed.remoteAddress).toBe('memory:cloud')
  expect(dialed.principal).toBeUndefined()
})

test('an address is listened at once, and again when it is free', async () => {
  const hub = new MemoryHub()
  const listener = hub.listen('memory:a')
  expect(() => hub.listen('memory:a')).toThrow(
    expect.objectContaining({ code: 'USAGE_INVALID_ARGUMENT', fields: { address: 'memory:a' } }),
  )
  await listener.close()
  await hub.listen('memory:a').close()
})

test('what nobody accepts is bounded, and ends with the listener', async () => {
  const hub = new MemoryHub({ backlogMax: 2 })
  const listener = hub.listen('memory:a')
  const transport = hub.transport()
  const waiting = [await transport.dial('memory:a'), await transport.dial('memory:a')]
  await expect(transport.dial('memory:a')).rejects.toMatchObject({
    code: 'TRANSPORT_DIAL_FAILED',
    retryable: true,
  })
  await listener.close()
  for (const connection of waiting) expect((await connection.closed).type).toBe('failed')
})

test('nothing happens in the turn of the call, and all of it in the turns of the scheduler', async () => {
  const turns: (() => void)[] = []
  const hub = new MemoryHub({ schedule: (turn) => turns.push(turn) })
  const listener = hub.listen('memory:a')
  const accepting = listener[Symbol.asyncIterator]().next()
  const dialing = hub.transport().dial('memory:a')
  expect(turns.length).toBe(1)
  turns.shift()?.()
  const dialed = await dialing
  const accepted = (await accepting).value
  const iterator = accepted?.[Symbol.asyncIterator]()

  dialed.send(Uint8Array.of(1))
  dialed.send(Uint8Array.of(2))
  const closing = dialed.close()
  const read: unknown[] = []
  for (let turn = 0; turn < 2; turn++) {
    expect(turns.length).toBe(1)
    turns.shift()?.()
    read.push((await iterator?.next())?.value)
  }
  expect(read).toEqual([Uint8Array.of(1), Uint8Array.of(2)])
  turns.shift()?.()
  await closing
  expect(turns).toEqual([])
  expect((await iterator?.next())?.done).toBe(true)
})

test('an abort carries its reason to the peer as the cause', async () => {
  const hub = new MemoryHub()
  const listener = hub.listen('memory:a')
  const dialed = await hub.transport().dial('memory:a')
  const { value: accepted } = await listener[Symbol.asyncIterator]().next()
  const reason = new ConnectionClosedError('enough')
  dialed.abort(reason)
  expect(await accepted?.closed).toMatchObject({ type: 'failed', error: { cause: reason } })
})
