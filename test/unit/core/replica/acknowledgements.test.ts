import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { consoleLogger, createReplica, grants, type Replica } from '../../../../src/index.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'

const GRANT = { read: ['notes', 'more'], write: ['notes', 'more'] }
const OPTIONS = { policy: grants({ a: GRANT, b: GRANT }), logger: consoleLogger('silent') }

let author: Replica
let peer: Replica
let hub: MemoryHub
/** While set, the peer's disk is busy: nothing of it becomes durable. */
let disk: { readonly busy: Promise<void>; readonly free: () => void } | undefined

function occupyDisk(): void {
  let free = (): void => undefined
  const busy = new Promise<void>((resolve) => {
    free = resolve
  })
  disk = { busy, free }
}

beforeEach(async () => {
  disk = undefined
  hub = new MemoryHub()
  author = await createReplica({ ...OPTIONS, name: 'a', storage: memoryStorage() })
  const sync = () => disk?.busy ?? Promise.resolve()
  peer = await createReplica({
    ...OPTIONS,
    name: 'b',
    storage: memoryStorage({ medium: new MemoryMedium(), sync }),
  })
  peer.serve(hub.listen('b'))
})

afterEach(async () => {
  disk?.free()
  await author.close()
  await peer.close()
})

function connect() {
  const transport = hub.transport({ principal: 'a' })
  return author.connect({ transport, address: 'b', principal: 'b', collections: ['notes'] })
}

function connected(uplink: ReturnType<typeof connect>): Promise<void> {
  return new Promise((resolve) => {
    uplink.onStatus(({ type }) => {
      if (type === 'connected') resolve()
    })
  })
}

const isSettled = async (promise: Promise<unknown>): Promise<boolean> => {
  const later = new Promise((resolve) => setTimeout(resolve, 30, 'later'))
  return (await Promise.race([promise.then(() => 'settled'), later])) === 'settled'
}

describe('what a peer has', () => {
  test('received comes before durable: the one is its memory, the other its disk', async () => {
    await connected(connect())
    occupyDisk()
    const note = await author.open('n', { collection: 'notes' })
    note.change(() => ({ text: 'x' }))
    await note.durable()
    await note.received('b')
    const durable = note.durable('b')
    expect(await isSettled(durable)).toBe(false)
    disk?.free()
    await durable
    expect((await peer.open('n')).value).toEqual({ text: 'x' })
  })

  test('an edit made while apart is acknowledged after the next connection', async () => {
    const note = await author.open('n', { collection: 'notes' })
    note.change(() => ({ text: 'offline' }))
    const durable = note.durable('b')
    expect(await isSettled(durable)).toBe(false)
    connect()
    await durable
    expect((await peer.open('n')).value).toEqual({ text: 'offline' })
  })

  test('what a peer does not share yet it does not have, however far it has read', async () => {
    const transport = hub.transport({ principal: 'a' })
    const uplink = author.connect({
      transport,
      address: 'b',
      principal: 'b',
      collections: ['more'],
    })
    await connected(uplink)
    const note = await author.open('n', { collection: 'notes' })
    note.change(() => ({ text: 'not shared yet' }))
    const other = await author.open('m', { collection: 'more' })
    other.change(() => ({ text: 'shared' }))
    const durable = note.durable('b')
    await other.durable('b')
    expect(await isSettled(durable)).toBe(false)
    uplink.subscribe(['notes'])
    await durable
    expect((await peer.open('n')).value).toEqual({ text: 'not shared yet' })
  })

  test('what came from the peer needs no acknowledgement by it', async () => {
    const theirs = await peer.open('n', { collection: 'notes' })
    theirs.change(() => ({ text: 'theirs' }))
    await theirs.durable()
    await connected(connect())
    await theirs.durable('a')
    const note = await author.open('n')
    await note.durable('b')
    expect(note.value).toEqual({ text: 'theirs' })
  })

  test('a wait ends with the very reason of its signal, and when the replica closes', async () => {
    const note = await author.open('n', { collection: 'notes' })
    note.change(() => ({ text: 'nobody hears' }))
    const abort = new AbortController()
    const aborted = note.durable('b', { signal: abort.signal })
    const reason = new Error('enough')
    abort.abort(reason)
    await expect(aborted).rejects.toBe(reason)
    await expect(note.received('b', { signal: abort.signal })).rejects.toBe(reason)
    const waiting = note.received('b')
    const closing = author.close()
    await expect(waiting).rejects.toMatchObject({ code: 'USAGE_CLOSED' })
    await closing
  })
})
