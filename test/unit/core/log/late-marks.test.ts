import { change, getLastLocalChange, init } from '@automerge/automerge'
import { beforeEach, expect, test } from 'vitest'
import type { StoredEntry } from '../../../../src/core/log/entry.ts'
import { readEvent } from '../../../../src/core/log/event.ts'
import { markedMessage, rewriteActor } from '../../../../src/core/log/generation-origin.ts'
import { checkEntry } from '../../../../src/core/replica/incoming.ts'
import { LogNode, settleAll } from '../../../support/log-node.ts'
import { sha256 } from '../../../support/memory-log.ts'

const MALLORY = 'dd'.repeat(8)

let a: LogNode
let b: LogNode
let late: StoredEntry
let generation: number

beforeEach(async () => {
  ;[a, b] = await Promise.all([LogNode.open('a'), LogNode.open('b')])
  await a.edit('d', (draft) => {
    draft['x'] = 1
  })
  await settleAll([a, b])
  await b.edit('d', (draft) => {
    draft['y'] = 2
  })
  const all = await b.log.readDocument('d')
  late = all.at(-1) as StoredEntry
  await a.cut('d')
  generation = (await a.log.record('d'))?.generation ?? 0
})

/** An event of `mallory` that says to write again what somebody else wrote, as an edit of its own. */
function fake(): Uint8Array {
  const { header } = { header: readEvent(late.bytes, sha256) }
  const place = { generation: 1, sequence: header.sequence }
  const edit = Uint8Array.of(0x80)
  const message = markedMessage({ hash: header.hash, actor: MALLORY, place, message: '', edit })
  const actor = rewriteActor(MALLORY, place, generation, sha256)
  const doc = change(init<Record<string, number>>({ actor }), { time: 0, message }, (draft) => {
    draft['fake'] = 1
  })
  return getLastLocalChange(doc) ?? new Uint8Array(0)
}

async function bring(bytes: Uint8Array): Promise<void> {
  const wire = { kind: 'event', document: 'd', collection: 'c', generation, bytes } as const
  const entries = [checkEntry(wire, sha256)]
  const check = () => undefined
  await a.log.commit({ type: 'remote', from: 'mallory', entries, peer: undefined, check })
}

async function keeps(): Promise<void> {
  expect(await a.late()).toEqual([late.hash])
  await settleAll([a, b])
  expect(await a.late()).toEqual([])
  expect(await a.value('d')).toMatchObject({ x: 1, y: 2 })
  expect(await a.digest('d')).toBe(await b.digest('d'))
}

test('a mark in the name of another writer takes no late event away', async () => {
  await b.give(a)
  await bring(fake())
  await keeps()
})

test('a mark in the name of another writer keeps no late event from being kept', async () => {
  await bring(fake())
  await b.give(a)
  await keeps()
})
