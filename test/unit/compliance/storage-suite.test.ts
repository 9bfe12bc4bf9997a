import { describe, expect, test } from 'vitest'
import { MemoryMedium, memoryStorage } from '../../../src/adapters/storage/memory/index.ts'
import { type StoragePlace, storageSuite } from '../../../src/compliance/index.ts'
import { StorageCorruptError } from '../../../src/core/errors.ts'
import type { RecordQuery, Storage } from '../../../src/core/interfaces/storage.ts'
import { failingChecks } from './failing-checks.ts'

type Alter = (storage: Storage) => Partial<Storage>

interface Fault {
  readonly fault: string
  readonly alter: Alter
  readonly fails: readonly string[]
}

const FAULTS: readonly Fault[] = [
  {
    fault: 'applies the newest of several waiting appends first',
    alter: (storage) => {
      let waiting: (() => void)[] = []
      const flush = () => {
        for (const start of waiting.reverse()) start()
        waiting = []
      }
      return {
        append: (batch) => {
          // Only plain single records are delayed, so that the fault is about order alone.
          if (batch.records.length !== 1 || batch.expectedHead !== undefined) {
            return storage.append(batch)
          }
          if (waiting.length === 0) queueMicrotask(flush)
          return new Promise((resolve, reject) => {
            waiting.push(() => void storage.append(batch).then(resolve, reject))
          })
        },
        drop: (positions) => {
          flush()
          return storage.drop(positions)
        },
      }
    },
    fails: ['appends are applied in the order of the calls'],
  },
  {
    fault: 'writes each record of a batch by itself',
    alter: (storage) => ({
      append: async (batch) => {
        if (batch.records.length < 20) return storage.append(batch)
        const first = (await storage.head()) + 1
        for (const record of batch.records) await storage.append({ records: [record], puts: [] })
        return { first, head: await storage.head() }
      },
    }),
    fails: ['an append is one atomic step'],
  },
  {
    fault: 'leaves a gap after a batch of several records',
    alter: (storage) => ({
      append: async (batch) => {
        const appended = await storage.append(batch)
        if (batch.records.length !== 2 || batch.puts.length > 0) return appended
        const { head } = await storage.append({ records: batch.records.slice(1), puts: [] })
        await storage.drop([head])
        return appended
      },
    }),
    fails: ['positions start at 1 and follow without a gap'],
  },
  {
    fault: 'ignores expectedHead',
    alter: (storage) => ({
      append: (batch) => storage.append({ ...batch, expectedHead: undefined }),
    }),
    fails: [
      'expectedHead lets an append through only when it is the head',
      'of two appends that expect the same head, the first one called wins',
    ],
  },
  {
    fault: 'writes the puts of an append that conflicts',
    alter: (storage) => ({
      append: async (batch) => {
        try {
          return await storage.append(batch)
        } catch (error) {
          if (batch.expectedHead !== undefined) {
            await storage.append({ records: [], puts: batch.puts })
          }
          throw error
        }
      },
    }),
    fails: ['expectedHead lets an append through only when it is the head'],
  },
  {
    fault: 'skips a damaged record',
    alter: (storage) => ({
      read: async (query) => {
        try {
          return await storage.read(query)
        } catch (error) {
          if (!(error instanceof StorageCorruptError)) throw error
          return { records: [], upTo: await storage.head(), end: true }
        }
      },
    }),
    fails: ['a record that is damaged at rest is reported, never skipped'],
  },
  {
    fault: 'has to read a record to drop it',
    alter: (storage) => ({
      drop: async (positions) => {
        for (const position of positions) {
          if (position < 1) continue
          await storage.read({ after: position - 1, upTo: position, bytesMax: 1 })
        }
        await storage.drop(positions)
      },
    }),
    fails: [
      'close waits for what is under way',
      'a damaged record can be dropped, and reads are whole again',
    ],
  },
  {
    fault: 'resolves close before the writes under way',
    alter: (storage) => {
      let isClosing = false
      return {
        close: async () => {
          if (isClosing) return
          isClosing = true
          void storage.close()
        },
      }
    },
    fails: ['close waits for what is under way'],
  },
  {
    fault: 'answers reads after close',
    alter: (storage) => {
      let isClosed = false
      return {
        head: async () => (isClosed ? 0 : storage.head()),
        close: async () => {
          isClosed = true
          await storage.close()
        },
      }
    },
    fails: ['after close every call is refused with a UsageError'],
  },
  {
    fault: 'ignores bytesMax',
    alter: (storage) => ({
      read: (query) => storage.read({ ...query, bytesMax: Number.POSITIVE_INFINITY }),
    }),
    fails: ['a page ends after the record that reaches bytesMax and holds at least one'],
  },
  {
    fault: 'reads past upTo',
    alter: (storage) => ({
      read: (query) => storage.read({ ...query, upTo: undefined }),
    }),
    fails: [
      'a read begins after one position and goes up to and with another',
      'a read by collections is paged like any other',
      'drop removes records from every read and ignores unknown positions',
      'a record that is damaged at rest is reported, never skipped',
    ],
  },
  {
    fault: 'gives one collection after the other',
    alter: (storage) => ({
      read: async (query: RecordQuery) => {
        const page = await storage.read(query)
        if (query.collections === undefined) return page
        const records = page.records.toSorted((a, b) => (a.collection < b.collection ? -1 : 1))
        return { ...page, records }
      },
    }),
    fails: [
      'a read by collections gives the records of these, in order of position',
      'a read by collections is paged like any other',
    ],
  },
  {
    fault: 'hands out the bytes that it keeps',
    alter: (storage) => {
      const kept = new Map<number, Uint8Array>()
      return {
        read: async (query) => {
          const page = await storage.read(query)
          const records = page.records.map((each) => {
            const bytes = kept.get(each.position) ?? each.bytes
            kept.set(each.position, bytes)
            return { ...each, bytes }
          })
          return { ...page, records }
        },
      }
    },
    fails: ['bytes handed out belong to the caller'],
  },
  {
    fault: 'orders keys by UTF-16 units',
    alter: (storage) => ({
      async *scan(prefix, range) {
        const entries = []
        for await (const entry of storage.scan(prefix, range)) entries.push(entry)
        yield* entries.sort((a, b) => (a.key < b.key ? -1 : 1))
      },
    }),
    fails: ['keys are ordered by their UTF-8 bytes', 'scan gives the keys of a range'],
  },
  {
    fault: 'keeps values that were deleted',
    alter: (storage) => ({
      append: (batch) =>
        storage.append({ ...batch, puts: batch.puts.filter(({ value }) => value !== undefined) }),
    }),
    fails: [
      'a put replaces the value, and a put of undefined deletes the key',
      'what was appended is there when the storage is opened again',
      'a resolved append survives a crash of the process',
    ],
  },
]

/** Of storages that several may open. */
const SHARED_FAULTS: readonly Fault[] = [
  {
    fault: 'ignores expectedRevision',
    alter: (storage) => ({
      append: (batch) => storage.append({ ...batch, expectedRevision: undefined }),
    }),
    fails: [
      'expectedRevision sees the appends of other openers, puts alone included',
      'of openers that expect the same revision, one wins each time',
    ],
  },
  {
    fault: 'compares with the head that its own opener has seen',
    alter: (storage) => {
      let seen = 0
      return {
        append: async (batch) => {
          const isSeen = batch.expectedHead === seen
          const appended = await storage.append(
            isSeen ? { ...batch, expectedHead: undefined } : batch,
          )
          seen = appended.head
          return appended
        },
      }
    },
    fails: [
      'of two appends that expect the same head, the first one called wins',
      'expectedHead sees what other openers append',
    ],
  },
  {
    fault: 'takes appends that only put for none',
    alter: (storage) => ({
      append: ({ expectedHead, expectedRevision, ...batch }) =>
        storage.append({ ...batch, expectedHead: expectedRevision ?? expectedHead }),
      revision: () => storage.head(),
    }),
    fails: ['expectedRevision sees the appends of other openers, puts alone included'],
  },
  {
    fault: 'gives every opener the same number',
    alter: () => ({ opener: 0 }),
    fails: ['openers at one time have numbers of their own, and use them again'],
  },
  {
    fault: 'tells its own appends',
    alter: (storage) => {
      const tails = new Set<(head: number) => void>()
      return {
        append: async (batch) => {
          const appended = await storage.append(batch)
          for (const tell of tails) tell(appended.head)
          return appended
        },
        tail: (listener) => {
          tails.add(listener)
          const cancel = storage.tail?.(listener)
          return () => {
            tails.delete(listener)
            cancel?.()
          }
        },
      }
    },
    fails: ['tail tells of the appends of others and of nothing else, until it is cancelled'],
  },
  {
    fault: 'cannot be cancelled in its tail',
    alter: (storage) => ({
      tail: (listener) => {
        storage.tail?.(listener)
        return () => undefined
      },
    }),
    fails: ['tail tells of the appends of others and of nothing else, until it is cancelled'],
  },
  {
    fault: 'reads what it read before',
    alter: (storage) => {
      let head: Promise<number> | undefined
      return {
        append: (batch) => {
          head = undefined
          return storage.append(batch)
        },
        head: () => {
          head ??= storage.head()
          return head
        },
      }
    },
    fails: ['what one opener appends and drops the others read'],
  },
]

describe('the storage suite', () => {
  test('passes a storage that keeps every promise', async () => {
    const failing = await failingChecks((check) => storageSuite({ test: check, factory: place }))
    expect(failing).toEqual([])
  })

  test.each(FAULTS)('fails a storage that $fault', async ({ alter, fails }) => {
    const failing = await failingChecks((check) =>
      storageSuite({ test: check, factory: () => place(alter), deadlineMs: 3_000 }),
    )
    expect(failing).toEqual(fails)
  })

  test('passes a shared storage that keeps every promise', async () => {
    const failing = await failingChecks((check) =>
      storageSuite({ test: check, factory: () => place(undefined, { shared: true }) }),
    )
    expect(failing).toEqual([])
  })

  test.each(SHARED_FAULTS)('fails a shared storage that $fault', async ({ alter, fails }) => {
    const factory = () => place(alter, { shared: true })
    const failing = await failingChecks((check) =>
      storageSuite({ test: check, factory, deadlineMs: 3_000 }),
    )
    expect(failing).toEqual(fails)
  })

  test('fails a storage that lets a second opener in', async () => {
    const failing = await failingChecks((check) =>
      storageSuite({ test: check, factory: placeWithoutLock, deadlineMs: 3_000 }),
    )
    expect(failing).toEqual(['a second opener gets StorageLockedError until the first has closed'])
  })

  test('fails a storage that acknowledges before its disk does', async () => {
    const failing = await failingChecks((check) =>
      storageSuite({
        test: check,
        factory: () => place(undefined, { isEager: true }),
        deadlineMs: 3_000,
      }),
    )
    expect(failing).toEqual(['a resolved append survives a crash of the process'])
  })
})

function place(alter: Alter = () => ({}), { isEager = false, shared = false } = {}): StoragePlace {
  const medium = new MemoryMedium()
  // What an eager storage shows is a second medium: the durable one is what a crash leaves.
  let lived = medium
  let isFull = false
  const sync = async () => {
    await new Promise((resolve) => setTimeout(resolve, 1))
    if (isFull) throw new Error('the simulated disk is full')
  }
  return {
    open: async () => altered(memoryStorage({ medium: lived, sync, shared }), alter),
    crash: async () => {
      if (isEager) lived = new MemoryMedium()
      else medium.unlock()
    },
    corrupt: async (position) => medium.corrupt(position),
    refuse: async () => {
      isFull = true
      return async () => {
        isFull = false
      }
    },
    dispose: async () => undefined,
  }
}

// Each opener steals the lock from the one before, who is left with an error at its next call.
function placeWithoutLock(): StoragePlace {
  const medium = new MemoryMedium()
  return {
    open: async () => {
      medium.unlock()
      return memoryStorage({ medium })
    },
    dispose: async () => undefined,
  }
}

function altered(storage: Storage, alter: Alter): Storage {
  return {
    name: storage.name,
    supports: storage.supports,
    opener: storage.opener ?? 0,
    revision: () => storage.revision?.() ?? Promise.resolve(0),
    tail: (listener) => storage.tail?.(listener) ?? (() => undefined),
    append: (batch) => storage.append(batch),
    head: () => storage.head(),
    read: (query) => storage.read(query),
    get: (keys) => storage.get(keys),
    scan: (prefix, range) => storage.scan(prefix, range),
    drop: (positions) => storage.drop(positions),
    close: () => storage.close(),
    ...alter(storage),
  }
}
