import { MemoryMedium, memoryStorage } from '../../src/adapters/storage/memory/index.ts'
import type { Put, Storage } from '../../src/core/interfaces/storage.ts'

/** A backup: what a storage holds now, on a medium of its own. Nothing may have been dropped from it. */
export async function copyMedium(storage: Storage): Promise<MemoryMedium> {
  const medium = new MemoryMedium()
  const copy = memoryStorage({ medium })
  for (let after = 0; ; ) {
    const page = await storage.read({ after, bytesMax: 1 << 22 })
    await copy.append({ records: page.records, puts: [] })
    if (page.end) break
    after = page.upTo
  }
  const puts: Put[] = []
  for await (const { key, value } of storage.scan('')) puts.push({ key, value })
  await copy.append({ records: [], puts })
  if ((await copy.head()) !== (await storage.head())) throw new Error('something was dropped')
  await copy.close()
  return medium
}
