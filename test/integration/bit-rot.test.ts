import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { levelStorage } from '../../src/adapters/storage/level/index.ts'
import { recordKey } from '../../src/adapters/storage/level/keys.ts'
import { edit, equal, HealingPlace, textOf, until } from '../support/healing-place.ts'

let directory: string
const place = new HealingPlace()
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bit-rot-'))
})
afterEach(async () => {
  await place.close()
  await rm(directory, { recursive: true, force: true })
})

/** Turns over one bit of a record, on the disk. */
async function rot(position: number): Promise<void> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(directory, {
    keyEncoding: 'view',
    valueEncoding: 'view',
  })
  const value = await level.get(recordKey(position))
  if (value === undefined) throw new Error('there is no such record')
  value[value.length - 1] = (value.at(-1) ?? 0) ^ 1
  await level.put(recordKey(position), value)
  await level.close()
}

test('bits that turned over on the disk of an edge come back from the cloud', async () => {
  const cloud = await place.open('cloud')
  let edge = await place.openOn('edge', await levelStorage({ directory }))
  const { uplink } = place.dial(edge, cloud)
  for (const text of ['one', 'two', 'three']) await edit(edge, 'notes/1', text)
  await edit(cloud, 'notes/2', 'of the cloud')
  await equal([edge, cloud])
  const { entries } = await edge.replica.readLog({ after: 0, document: 'notes/1', bytesMax: 1e6 })
  await uplink.close()
  await place.stop(edge)

  for (const { position } of entries.slice(0, 2)) await rot(position)
  edge = await place.openOn('edge', await levelStorage({ directory }))
  place.dial(edge, cloud)
  await textOf(edge, 'notes/1')
  await equal([edge, cloud])
  await until(async () => (await edge.replica.status()).damaged.length === 0)
  expect(await textOf(edge, 'notes/1')).toBe('three')
  expect(edge.errors).not.toEqual([])

  // The next opener finds nothing wrong.
  await place.stop(edge)
  edge = await place.openOn('edge', await levelStorage({ directory }))
  expect(await textOf(edge, 'notes/1')).toBe('three')
  expect(edge.errors).toEqual([])
})
