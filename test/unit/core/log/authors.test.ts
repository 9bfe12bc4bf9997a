import { expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { actorOf, EPOCHS_MAX } from '../../../../src/core/log/authors.ts'
import type { EventLog } from '../../../../src/core/log/event-log.ts'
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
