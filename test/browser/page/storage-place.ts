import { promisifyRequest } from 'idb-keyval'
import type { TidewayError } from 'tideway'
import { indexedDbStorage } from 'tideway/adapters/storage/indexeddb'
import { type StoragePlace, storageSuite } from 'tideway/compliance'

const checks = {
  alone: new Map<string, () => Promise<void>>(),
  shared: new Map<string, () => Promise<void>>(),
}
let databases = 0
for (const mode of ['alone', 'shared'] as const) {
  storageSuite({
    test: (name, run) => checks[mode].set(name, run),
    factory: () => place(mode === 'shared'),
  })
}

/** Runs one check of the storage suite; rejects when it fails. */
export async function runStorageCheck(mode: 'alone' | 'shared', name: string): Promise<void> {
  const run = checks[mode].get(name)
  if (run === undefined) throw new Error(`the page has no check of the name ${name}`)
  await run()
}

/** What came of filling a database. */
export interface Filled {
  readonly code: string
  readonly reason: string
  readonly head: number
  readonly records: number
}

/** Appends records of 100 KB until the browser has no more room for them. */
export async function fillStorage(database: string): Promise<Filled> {
  const storage = await indexedDbStorage({ name: database })
  try {
    for (let count = 0; count < 1_000; count++) {
      const bytes = crypto.getRandomValues(new Uint8Array(50_000))
      const record = { document: 'd', collection: 'c', bytes }
      const puts = [{ key: 'count', value: Uint8Array.of(count + 1) }]
      await storage.append({ records: [record, record], puts })
    }
    throw new Error('the database never became full')
  } catch (error) {
    const { code, fields } = error as TidewayError
    const { records } = await storage.read({ after: 0, bytesMax: 1e9 })
    const head = await storage.head()
    const [count] = await storage.get(['count'])
    if (count?.[0] !== (head / 2) % 256) throw new Error('the put of a refused append is there')
    return { code, reason: String(fields['reason']), head, records: records.length }
  } finally {
    await storage.close()
  }
}

/** Appends one record; tells its position. */
export async function appendOne(database: string): Promise<number> {
  const storage = await indexedDbStorage({ name: database })
  try {
    const record = { document: 'd', collection: 'c', bytes: Uint8Array.of(1) }
    return (await storage.append({ records: [record], puts: [] })).head
  } finally {
    await storage.close()
  }
}

function place(shared: boolean): StoragePlace {
  databases += 1
  const name = `suite ${shared} ${databases}`
  return {
    open: () => indexedDbStorage({ name, shared }),
    async corrupt(position) {
      await changeRecord(name, position, (record) => {
        const bytes = record['b'] as Uint8Array
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
      })
    },
    async dispose() {
      await promisifyRequest(indexedDB.deleteDatabase(name))
    },
  }
}

async function changeRecord(
  name: string,
  position: number,
  change: (record: Record<string, unknown>) => void,
): Promise<void> {
  const database = await promisifyRequest(indexedDB.open(name))
  const transaction = database.transaction('records', 'readwrite')
  const records = transaction.objectStore('records')
  const record: Record<string, unknown> = await promisifyRequest(records.get(position))
  change(record)
  await promisifyRequest(records.put(record))
  database.close()
}
