import { expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { actorOf, EPOCHS_MAX } from '../../../../src/core/log/authors.ts'
import type { EventLog } from '../../../../src/core/log/event-log.ts'
import { LogNode } from '../../../support/log-node.ts'
import { openLog, sha256 } from '../../../support/memory-log.ts'

function isOwn({ authors, replica }: EventLog, epoch: string): boolean {
  return authors.of(actorOf({ replica, epoch }, 0, 0, sha256)) === replica
}

test('what a log wrote before its end was lost is its own, also when it is opened again', async () => {
  const medium = new MemoryMedium()
  // A log that is new has lost nothing.
  const fresh = memoryStorage({ medium })
  await openLog({ storage: fresh, replica: 'edge-1' })
  await fresh.close()
  const epochs: string[] = []
  for (let lives = 0; lives < EPOCHS_MAX + 1; lives += 1) {
    const storage = memoryStorage({ medium })
    const log = await openLog({ storage, replica: 'edge-1' })
    expect(epochs.slice(1 - EPOCHS_MAX).every((epoch) => isOwn(log, epoch))).toBe(true)
    // One that goes back again and again forgets the oldest.
    expect(epochs.slice(0, 1 - EPOCHS_MAX).some((epoch) => isOwn(log, epoch))).toBe(false)
    epochs.push(log.epoch)
    await log.renew()
    expect(isOwn(log, log.epoch)).toBe(true)
    await storage.close()
  }
  expect(new Set(epochs).size).toBe(EPOCHS_MAX + 1)
})

test('what a log writes is its own however often events of it were refused, also when it is opened again', async () => {
  const medium = new MemoryMedium()
  const storage = memoryStorage({ medium })
  const node = await LogNode.open('edge-1', storage)
  for (let refused = 0; refused < 6; refused += 1) {
    await node.edit('d', (draft) => {
      draft['count'] = refused
    })
    const hash = (await node.log.readDocument('d')).at(-1)?.hash
    const reject = {
      document: 'd',
      kind: 'event',
      hash,
      code: 'ACCESS_DENIED',
      message: 'no',
    } as const
    await node.log.commit({ type: 'reject', peer: 'cloud', rejects: [reject], atMs: 1 })
    await node.documents.reload('d')
  }
  const fork = (await node.log.record('d'))?.fork ?? 0
  expect(fork).toBe(6)
  const actor = node.log.actor(fork)
  expect(node.log.authors.of(actor)).toBe('edge-1')
  await storage.close()
  const again = await LogNode.open('edge-1', memoryStorage({ medium }))
  await again.log.record('d')
  expect(again.log.authors.of(actor)).toBe('edge-1')
  await again.log.renew()
  expect(again.log.authors.of(actor)).toBe('edge-1')
  expect(again.log.authors.of(again.log.actor(fork))).toBe('edge-1')
})
