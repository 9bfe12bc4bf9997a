import { afterEach, describe, expect, test } from 'vitest'
import { MemoryMedium } from '../../../../src/adapters/storage/memory/index.ts'
import { copyMedium } from '../../../support/copy-medium.ts'
import { eventually } from '../../../support/fleet.ts'
import {
  edit,
  equal,
  fill,
  HealingPlace,
  quiet,
  textOf,
  until,
} from '../../../support/healing-place.ts'

let place = new HealingPlace()
afterEach(async () => {
  await place.close()
  place = new HealingPlace()
})

const LOST = 'the end of the log was lost: what peers have of it comes back'

function ids(count: number, prefix = 'notes'): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}/${String(i).padStart(6, '0')}`)
}

describe('a backup that is put back', () => {
  test('gets back what it lost, at a few bytes for each document', async () => {
    const medium = new MemoryMedium()
    await fill(medium, 'edge', ids(1_000))
    let edge = await place.open('edge', medium)
    const cloud = await place.open('cloud')
    const { uplink, meter } = place.dial(edge, cloud)
    await equal([edge, cloud])
    // What the cloud acknowledged is written down a moment later.
    await quiet(meter, 600)
    const backup = await copyMedium(edge.storage)
    const { epoch } = edge.replica
    for (const id of ids(1_000).filter((_, i) => i % 100 === 7)) await edit(edge, id, 'lost')
    await equal([edge, cloud])
    await uplink.close()
    await place.stop(edge)

    edge = await place.open('edge', backup)
    const healing = place.dial(edge, cloud).meter
    await equal([edge, cloud])
    await quiet(healing)
    expect(await textOf(edge, 'notes/000107')).toBe('lost')
    expect(edge.replica.epoch).not.toBe(epoch)
    expect(edge.errors).toEqual([LOST])
    const bytes = healing.outBytes + healing.inBytes
    expect(bytes).toBeLessThan(12_000)
    expect(healing.turns).toBeLessThan(20)

    // The new writer goes on where the lost one ended.
    await edit(edge, 'notes/000107', 'found')
    await equal([edge, cloud])
    expect(await textOf(cloud, 'notes/000107')).toBe('found')
    expect(cloud.errors).toEqual([])
  })

  test('of the one that is dialled is healed as well, and peers see one new epoch', async () => {
    const edge = await place.open('edge')
    let cloud = await place.open('cloud')
    const { uplink } = place.dial(edge, cloud)
    for (const id of ids(100)) await edit(cloud, id, 'early')
    await equal([edge, cloud])
    const backup = await copyMedium(cloud.storage)
    for (const id of ids(5)) await edit(cloud, id, 'late')
    for (const id of ids(5, 'edge')) await edit(edge, id, 'of the edge')
    await equal([edge, cloud])
    await uplink.close()
    await place.stop(cloud)

    cloud = await place.open('cloud', backup)
    const handle = await cloud.replica.open<{ text?: string }>(ids(1)[0] ?? '', { collection: 'c' })
    expect(handle.value.text).toBe('early')
    const { meter } = place.dial(edge, cloud)
    await equal([edge, cloud])
    await quiet(meter)
    expect(handle.value.text).toBe('late')
    expect(await textOf(cloud, 'edge/000003')).toBe('of the edge')
    // A document that was open writes on under the new name.
    handle.change(() => ({ text: 'latest' }))
    await handle.durable()
    await equal([edge, cloud])
    expect(await textOf(edge, ids(1)[0] ?? '')).toBe('latest')
    expect(cloud.errors).toEqual([LOST])
  })

  test('at both sides at once leaves them equal', async () => {
    let edge = await place.open('edge')
    let cloud = await place.open('cloud')
    const first = place.dial(edge, cloud)
    for (const id of ids(80)) await edit(edge, id, 'early')
    await equal([edge, cloud])
    await first.uplink.close()
    const backups = [await copyMedium(edge.storage), await copyMedium(cloud.storage)]
    const second = place.dial(edge, cloud)
    for (const id of ids(4)) await edit(edge, id, 'late')
    for (const id of ids(4, 'cloud')) await edit(cloud, id, 'late')
    await equal([edge, cloud])
    await second.uplink.close()
    await place.stop(edge)
    await place.stop(cloud)

    edge = await place.open('edge', backups[0])
    cloud = await place.open('cloud', backups[1])
    await edit(edge, ids(1)[0] ?? '', 'again')
    await edit(cloud, ids(1)[0] ?? '', 'again too')
    place.dial(edge, cloud)
    await equal([edge, cloud])
    expect(await textOf(edge, ids(1)[0] ?? '')).toBe(await textOf(cloud, ids(1)[0] ?? ''))
    expect([...edge.errors, ...cloud.errors]).toEqual([])
  })

  test('and written to before it is dialled keeps what it wrote, aside where places are taken', async () => {
    let edge = await place.open('edge')
    const cloud = await place.open('cloud')
    const { uplink } = place.dial(edge, cloud)
    await edit(edge, 'both', 'one')
    await equal([edge, cloud])
    const backup = await copyMedium(edge.storage)
    await edit(edge, 'both', 'two')
    await equal([edge, cloud])
    await uplink.close()
    await place.stop(edge)

    edge = await place.open('edge', backup)
    // The same place of the same writer as `two`: nobody can take both.
    await edit(edge, 'both', 'three')
    await edit(edge, 'free', 'kept')
    place.dial(edge, cloud)
    await until(async () => (await textOf(cloud, 'free')) === 'kept')
    const rejected: string[] = []
    await until(async () => {
      rejected.length = 0
      for await (const { document, code } of edge.replica.rejected())
        rejected.push(`${document} ${code}`)
      return rejected.length > 0
    })
    expect(rejected).toEqual(['both ACCESS_EQUIVOCATION'])
  })
})

describe('a storage that lost its log', () => {
  test('gets everything back, also what it had written itself', async () => {
    let edge = await place.open('edge')
    const cloud = await place.open('cloud')
    const { uplink } = place.dial(edge, cloud)
    for (const id of ids(30)) await edit(edge, id, 'mine')
    for (const id of ids(30, 'cloud')) await edit(cloud, id, 'yours')
    await equal([edge, cloud])
    await uplink.close()
    await place.stop(edge)
    edge = await place.open('edge')
    place.dial(edge, cloud)
    await equal([edge, cloud])
    expect(await textOf(edge, 'notes/000029')).toBe('mine')
    expect(cloud.errors).toEqual([])
  })
})

describe('two replicas with much in common that meet for the first time', () => {
  test('exchange what differs, not what they share', async () => {
    const documents = ids(20_000)
    const [one, other] = [new MemoryMedium(), new MemoryMedium()]
    await fill(one, 'edge', documents)
    await fill(other, 'cloud', documents)
    const edge = await place.open('edge', one)
    const cloud = await place.open('cloud', other)
    for (const id of [documents[3], documents[9_999]]) await edit(edge, id ?? '', 'edge')
    for (const id of [documents[3], documents[15_000], 'notes/new'])
      await edit(cloud, id ?? '', 'cloud')
    const { meter } = place.dial(edge, cloud)
    await equal([edge, cloud], ['c'], 30_000)
    await quiet(meter)
    // 64 KB go out with HELLO, before it is known that the two have met elsewhere.
    expect(meter.outBytes + meter.inBytes).toBeLessThan(65_536 + 16_000)
    expect(meter.turns).toBeLessThan(20)
    expect(await textOf(cloud, documents[9_999] ?? '')).toBe('edge')
  }, 60_000)

  test('over another way than before send nothing twice', async () => {
    const cloud = await place.open('cloud')
    const hub = await place.open('hub')
    const edge = await place.open('edge')
    const up = place.dial(hub, cloud)
    const down = place.dial(edge, hub)
    for (const id of ids(100)) await edit(edge, id, 'mine')
    await equal([cloud, hub, edge])
    await quiet(down.meter)
    await quiet(up.meter)
    const { meter } = place.dial(edge, cloud)
    await quiet(meter, 300)
    expect(meter.inBytes).toBeLessThan(1_000)
    await edit(cloud, 'notes/000001', 'from above')
    await equal([cloud, hub, edge])
    expect(await textOf(edge, 'notes/000001')).toBe('from above')
  })
})

describe('a collection that both hold', () => {
  test('is compared when it comes to be shared', async () => {
    const documents = ids(2_000)
    const [one, other] = [new MemoryMedium(), new MemoryMedium()]
    await fill(one, 'edge', documents)
    await fill(other, 'cloud', documents)
    const edge = await place.open('edge', one)
    const cloud = await place.open('cloud', other)
    await edit(edge, 'notes/edge', 'x')
    await edit(cloud, 'notes/cloud', 'y')
    const { uplink, meter } = place.dial(edge, cloud, ['d'])
    await eventually(() => uplink.status.type === 'connected')
    await quiet(meter)
    const before = meter.outBytes + meter.inBytes
    uplink.subscribe(['c'])
    await equal([edge, cloud])
    await quiet(meter)
    expect(meter.outBytes + meter.inBytes - before).toBeLessThan(8_000)
  })
})

describe('a document with two homes', () => {
  test('has the one that it was given last, after the other side lost the move', async () => {
    const cloud = await place.open('cloud')
    let edge = await place.open('edge')
    const { uplink, meter } = place.dial(edge, cloud, ['c', 'd'])
    for (const id of ids(70)) await edit(cloud, id, 'x')
    await equal([edge, cloud], ['c', 'd'])
    await quiet(meter, 600)
    const backup = await copyMedium(edge.storage)
    await cloud.replica.move(ids(1)[0] ?? '', 'd')
    await equal([edge, cloud], ['d'])
    await uplink.close()
    await place.stop(edge)
    edge = await place.open('edge', backup)
    place.dial(edge, cloud, ['c', 'd'])
    await equal([edge, cloud], ['c'])
    await equal([edge, cloud], ['d'])
    expect((await edge.replica.record(ids(1)[0] ?? ''))?.collection).toBe('d')
  })

  test('leaves a side that may not see the new one', async () => {
    const cloud = await place.open('cloud')
    let edge = await place.open('edge')
    const { uplink, meter } = place.dial(edge, cloud)
    for (const id of ids(70)) await edit(cloud, id, 'x')
    await equal([edge, cloud])
    await quiet(meter, 600)
    const backup = await copyMedium(edge.storage)
    await cloud.replica.move(ids(1)[0] ?? '', 'secret')
    await equal([edge, cloud])
    await uplink.close()
    await place.stop(edge)
    edge = await place.open('edge', backup)
    place.dial(edge, cloud)
    await equal([edge, cloud])
    expect((await edge.replica.record(ids(1)[0] ?? ''))?.left).toBe(true)
  })
})

describe('a deletion', () => {
  test('that a backup does not know comes back', async () => {
    const cloud = await place.open('cloud')
    let edge = await place.open('edge')
    const { uplink, meter } = place.dial(edge, cloud)
    for (const id of ids(70)) await edit(edge, id, 'x')
    await equal([edge, cloud])
    await quiet(meter, 600)
    const backup = await copyMedium(edge.storage)
    await edge.replica.delete(ids(1)[0] ?? '')
    await equal([edge, cloud])
    await uplink.close()
    await place.stop(edge)
    edge = await place.open('edge', backup)
    expect((await edge.replica.record(ids(1)[0] ?? ''))?.deleted).toBe(false)
    place.dial(edge, cloud)
    await equal([edge, cloud])
    expect((await edge.replica.record(ids(1)[0] ?? ''))?.deleted).toBe(true)
  })
})

describe('a cut of history', () => {
  test('that a backup does not know comes back, and what was written before stays', async () => {
    const cloud = await place.open('cloud')
    let edge = await place.open('edge')
    const { uplink, meter } = place.dial(edge, cloud)
    for (const id of ids(70)) await edit(edge, id, 'x')
    await equal([edge, cloud])
    await quiet(meter, 600)
    const backup = await copyMedium(edge.storage)
    const id = ids(1)[0] ?? ''
    for (const text of ['one', 'two']) await edit(edge, id, text)
    await equal([edge, cloud])
    expect(await edge.replica.compact(id)).toBe(true)
    await edit(edge, id, 'three')
    await equal([edge, cloud])
    await uplink.close()
    await place.stop(edge)
    edge = await place.open('edge', backup)
    place.dial(edge, cloud)
    await equal([edge, cloud])
    expect(await textOf(edge, id)).toBe('three')
    expect((await edge.replica.record(id))?.generation).toBe(
      (await cloud.replica.record(id))?.generation,
    )
  })
})
