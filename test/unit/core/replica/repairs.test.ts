import { afterEach, describe, expect, test } from 'vitest'
import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import {
  edit,
  equal,
  HealingPlace,
  type Node,
  textOf,
  until,
} from '../../../support/healing-place.ts'

let place = new HealingPlace()
afterEach(async () => {
  await place.close()
  place = new HealingPlace()
})

const DAMAGED = 'entries of a document are damaged: peers are asked for what was lost'

/** Where the entries of a document stand. */
async function positionsOf(node: Node, document: string): Promise<readonly number[]> {
  const page = await node.replica.readLog({ after: 0, document, bytesMax: 1 << 20 })
  return page.entries.map(({ position }) => position)
}

async function damagedOf(node: Node): Promise<readonly string[]> {
  return (await node.replica.status()).damaged.map(({ document }) => document)
}

/** Two replicas that share some documents, the edge stopped so that its medium can be damaged. */
async function rotten(damage: (positions: readonly number[]) => readonly number[]): Promise<{
  readonly edge: Node
  readonly cloud: Node
}> {
  const medium = new MemoryMedium()
  const first = await place.open('edge', medium)
  const cloud = await place.open('cloud')
  const { uplink } = place.dial(first, cloud)
  for (const text of ['one', 'two', 'three']) await edit(first, 'notes/1', text)
  await edit(first, 'notes/2', 'intact')
  await edit(cloud, 'notes/1', 'four')
  await equal([first, cloud])
  await uplink.close()
  const positions = await positionsOf(first, 'notes/1')
  await place.stop(first)
  const edge = await place.open('edge', medium)
  for (const position of damage(positions)) medium.corrupt(position)
  return { edge, cloud }
}

describe('a document with damaged entries', () => {
  test.each([
    ['the first', (all: readonly number[]) => all.slice(0, 1)],
    ['one in the middle', (all: readonly number[]) => all.slice(1, 2)],
    ['the last', (all: readonly number[]) => all.slice(-1)],
    ['two that follow each other', (all: readonly number[]) => all.slice(1, 3)],
    ['all', (all: readonly number[]) => all],
  ])('is whole again when a peer has it: %s', async (_, damage) => {
    const { edge, cloud } = await rotten(damage)
    const before = await edge.replica.digest(['c'])
    // Nobody is connected: what is left is shown, and the loss is told.
    await textOf(edge, 'notes/1')
    expect(edge.errors).toContain(DAMAGED)
    expect(await damagedOf(edge)).toEqual(['notes/1'])
    expect(await edge.replica.digest(['c'])).not.toBe(before)
    place.dial(edge, cloud)
    await equal([edge, cloud])
    expect(await edge.replica.digest(['c'])).toBe(before)
    expect(await textOf(edge, 'notes/1')).toBe('four')
    expect(await textOf(edge, 'notes/2')).toBe('intact')
    await until(async () => (await damagedOf(edge)).length === 0)
  })

  test('that is found while peers are connected is asked for at once', async () => {
    const { edge, cloud } = await rotten((all) => all.slice(1, 2))
    place.dial(edge, cloud)
    await until(() => Promise.resolve(edge.replica.peers().length === 1))
    const { digest } = { digest: await cloud.replica.digest(['c']) }
    await textOf(edge, 'notes/1')
    await until(async () => (await damagedOf(edge)).length === 0)
    expect(await edge.replica.digest(['c'])).toBe(digest)
    expect(edge.replica.peers()).toHaveLength(1)
  })

  test('that a peer wants to read does not keep the two apart', async () => {
    const { edge, cloud } = await rotten((all) => all.slice(0, 1))
    const other = await place.open('edge-2')
    place.dial(other, edge)
    // What is left goes on; the rest comes from where it is.
    await until(async () => (await textOf(other, 'notes/2')) === 'intact')
    place.dial(edge, cloud)
    await equal([edge, cloud, other])
    expect(await textOf(other, 'notes/1')).toBe('four')
  })

  test('is written to under another name where our own last events were lost', async () => {
    const { edge, cloud } = await rotten((all) => all.slice(2))
    // Not at the places of what was lost: a peer has that, and would refuse what comes after it.
    await edit(edge, 'notes/1', 'five')
    place.dial(edge, cloud)
    await equal([edge, cloud])
    await until(async () => (await damagedOf(edge)).length === 0)
    expect(cloud.errors).toEqual([])
    expect(cloud.replica.quarantined()).toEqual([])
    const texts: string[] = []
    for await (const { hash } of edge.replica.rejected()) texts.push(hash)
    expect(texts).toEqual([])
  })

  test('is reported for what has not come back only, also after a restart', async () => {
    const medium = new MemoryMedium()
    let edge = await place.open('edge', medium)
    const cloud = await place.open('cloud')
    const { uplink } = place.dial(edge, cloud)
    await edit(edge, 'notes/1', 'one')
    await equal([edge, cloud])
    await uplink.close()
    await edit(edge, 'notes/1', 'two')
    const positions = await positionsOf(edge, 'notes/1')
    await place.stop(edge)
    edge = await place.open('edge', medium)
    for (const position of positions) medium.corrupt(position)
    await textOf(edge, 'notes/1')
    expect((await edge.replica.status()).damaged[0]?.lost).toHaveLength(2)
    // The cloud has the first of the two.
    place.dial(edge, cloud)
    await until(async () => (await edge.replica.status()).damaged[0]?.lost.length === 1)
    await place.stop(edge)
    edge = await place.open('edge', medium)
    expect((await edge.replica.status()).damaged[0]?.lost).toHaveLength(1)
  })

  test('that nobody has stays reported, also after a restart', async () => {
    const medium = new MemoryMedium()
    let edge = await place.open('edge', medium)
    for (const text of ['one', 'two', 'three']) await edit(edge, 'notes/1', text)
    const positions = await positionsOf(edge, 'notes/1')
    await place.stop(edge)
    edge = await place.open('edge', medium)
    medium.corrupt(positions[1] ?? 0)
    await textOf(edge, 'notes/1')
    await place.stop(edge)
    edge = await place.open('edge', medium)
    const { damaged } = await edge.replica.status()
    expect(damaged).toMatchObject([{ document: 'notes/1', positions: [positions[1]] }])
    expect(damaged[0]?.lost).toHaveLength(1)
    expect(edge.errors).toEqual([])
  })

  test('of a later generation is whole again, also when its beginning is lost', async () => {
    const medium = new MemoryMedium()
    let edge = await place.open('edge', medium)
    const cloud = await place.open('cloud')
    const { uplink } = place.dial(edge, cloud)
    for (const text of ['one', 'two', 'three']) await edit(edge, 'notes/1', text)
    await equal([edge, cloud])
    expect(await cloud.replica.compact('notes/1')).toBe(true)
    await edit(cloud, 'notes/1', 'four')
    await equal([edge, cloud])
    await uplink.close()
    const positions = await positionsOf(edge, 'notes/1')
    await place.stop(edge)
    edge = await place.open('edge', medium)
    medium.corrupt(positions[0] ?? 0)
    await textOf(edge, 'notes/1')
    place.dial(edge, cloud)
    await equal([edge, cloud])
    expect(await textOf(edge, 'notes/1')).toBe('four')
    await until(async () => (await damagedOf(edge)).length === 0)
  })

  test('whose beginning is lost is reported until it has one again, whatever else comes', async () => {
    const medium = new MemoryMedium()
    let edge = await place.open('edge', medium)
    const cloud = await place.open('cloud')
    const { uplink } = place.dial(edge, cloud)
    await edit(edge, 'notes/1', 'one')
    await equal([edge, cloud])
    expect(await cloud.replica.compact('notes/1')).toBe(true)
    await equal([edge, cloud])
    await uplink.close()
    const positions = await positionsOf(edge, 'notes/1')
    await place.stop(edge)
    edge = await place.open('edge', medium)
    for (const position of positions) medium.corrupt(position)
    await textOf(edge, 'notes/1')
    await edit(edge, 'notes/1', 'two')
    expect(await damagedOf(edge)).toEqual(['notes/1'])
    await place.stop(edge)
    edge = await place.open('edge', medium)
    expect(await damagedOf(edge)).toEqual(['notes/1'])
    place.dial(edge, cloud)
    await equal([edge, cloud])
    await until(async () => (await damagedOf(edge)).length === 0)
    // It does not stand where an edit stands that is in the beginning.
    expect([await textOf(edge, 'notes/1'), await textOf(cloud, 'notes/1')]).toEqual(['two', 'two'])
  })

  test('of which our own edit is lost is reported past a beginning that does not reach it', async () => {
    const medium = new MemoryMedium()
    let edge = await place.open('edge', medium)
    const cloud = await place.open('cloud')
    const { uplink } = place.dial(edge, cloud)
    for (const text of ['one', 'two']) await edit(edge, 'notes/1', text)
    await equal([edge, cloud])
    await uplink.close()
    await edit(edge, 'notes/1', 'three')
    const page = await edge.replica.readLog({ after: 0, document: 'notes/1', bytesMax: 1 << 20 })
    await place.stop(edge)
    expect(await cloud.replica.compact('notes/1')).toBe(true)
    edge = await place.open('edge', medium)
    for (const { position } of page.entries.slice(-2)) medium.corrupt(position)
    await textOf(edge, 'notes/1')
    place.dial(edge, cloud)
    await equal([edge, cloud])
    expect(await textOf(edge, 'notes/1')).toBe('two')
    // The last one was with nobody else; the one before is in the state.
    const lost = [page.entries.at(-1)?.hash]
    expect((await edge.replica.status()).damaged).toMatchObject([{ document: 'notes/1', lost }])
    await place.stop(edge)
    edge = await place.open('edge', medium)
    expect((await edge.replica.status()).damaged).toMatchObject([{ document: 'notes/1', lost }])
  })
})

describe('whoever meets damage', () => {
  test('goes on with a document that it holds, without opening it again', async () => {
    const medium = new MemoryMedium()
    let full = false
    const sync = (): Promise<void> => (full ? Promise.reject(new Error('full')) : Promise.resolve())
    const edge = await place.openOn('edge', memoryStorage({ medium, sync }), medium)
    for (const text of ['one', 'two', 'three']) await edit(edge, 'notes/1', text)
    const handle = await edge.replica.open<{ text?: string }>('notes/1', { collection: 'c' })
    medium.corrupt((await positionsOf(edge, 'notes/1'))[1] ?? 0)
    full = true
    handle.change(() => ({ text: 'refused' }))
    // Read again because of that, it is found to be damaged, and that cannot be repaired either.
    await expect(handle.durable()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(() => handle.change(() => ({ text: 'four' }))).toThrow(
      expect.objectContaining({ code: 'STORAGE_UNAVAILABLE' }),
    )
    full = false
    await until(() => {
      try {
        handle.change(() => ({ text: 'four' }))
        return Promise.resolve(true)
      } catch {
        return Promise.resolve(false)
      }
    })
    await handle.durable()
    expect(handle.value.text).toBe('four')
    expect(await damagedOf(edge)).toEqual(['notes/1'])
    expect(edge.errors).toEqual([DAMAGED])
    await handle.close()
  })

  test.each([
    ['nothing', []],
    ['another collection', ['other']],
  ])(
    'is not told that a peer has what was lost before it was sent, sharing %s',
    async (_, shared) => {
      const medium = new MemoryMedium()
      const edge = await place.open('edge', medium)
      const cloud = await place.open('cloud')
      const handle = await edge.replica.open<{ text?: string }>('notes/1', { collection: 'c' })
      handle.change(() => ({ text: 'one' }))
      await handle.durable()
      const sent = handle.durable('cloud')
      const refused = expect(sent).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
      const [position = 0] = await positionsOf(edge, 'notes/1')
      if (shared.length > 0) {
        // What the cloud acknowledges of it stands further on in the log.
        await edit(edge, 'notes/2', 'one', 'other')
        const { uplink } = place.dial(edge, cloud, shared)
        const other = await edge.replica.open('notes/2', { collection: 'other' })
        await other.durable('cloud')
        await other.close()
        await uplink.close()
      }
      medium.corrupt(position)
      expect(await positionsOf(edge, 'notes/1')).toEqual([])
      await refused
      await edit(edge, 'notes/1', 'two')
      place.dial(edge, cloud)
      // What is there gets there.
      await handle.durable('cloud')
      expect(await textOf(cloud, 'notes/1')).toBe('two')
      await handle.close()
    },
  )

  test.each([
    ['moves', (node: Node) => node.replica.move('notes/1', 'other')],
    ['cuts', (node: Node) => node.replica.compact('notes/1')],
    ['deletes', (node: Node) => node.replica.delete('notes/1')],
  ])('%s what is left', async (_, act) => {
    const medium = new MemoryMedium()
    const first = await place.open('edge', medium)
    for (const text of ['one', 'two', 'three']) await edit(first, 'notes/1', text)
    const positions = await positionsOf(first, 'notes/1')
    await place.stop(first)
    const edge = await place.open('edge', medium)
    medium.corrupt(positions[2] ?? 0)
    await act(edge)
    await textOf(edge, 'notes/1')
    expect(edge.errors).toEqual([DAMAGED])
  })

  test('forgets damage among what a cut takes away', async () => {
    const medium = new MemoryMedium()
    const edge = await place.open('edge', medium)
    for (const text of ['one', 'two', 'three']) await edit(edge, 'notes/1', text)
    const [position = 0] = await positionsOf(edge, 'notes/1')
    const { append } = edge.storage
    edge.storage.append = (batch) => {
      // Between the look at the document and the end of its history.
      if (batch.records.some(({ bytes }) => bytes.length > 0)) medium.corrupt(position)
      return append.call(edge.storage, batch)
    }
    expect(await edge.replica.compact('notes/1')).toBe(true)
    expect(await textOf(edge, 'notes/1')).toBe('three')
    expect(await positionsOf(edge, 'notes/1')).toHaveLength(1)
    expect(edge.errors).toEqual([])
    expect(await damagedOf(edge)).toEqual([])
  })
})
