import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryMedium, memoryStorage } from '../../src/adapters/storage/memory/index.ts'
import { consoleLogger, createReplica, type Replica } from '../../src/index.ts'
import { nodeSha256 } from '../../src/node/index.ts'

const DOCUMENTS = ['a', 'b', 'c']
const COLLECTIONS = ['one', 'two']

type Step =
  | { readonly type: 'edit'; readonly opener: number; readonly document: string }
  | { readonly type: 'pause'; readonly turns: number }
  | {
      readonly type: 'move'
      readonly opener: number
      readonly document: string
      readonly to: string
    }
  | { readonly type: 'restart'; readonly opener: number }

const opener = fc.nat(2)
const document = fc.constantFrom(...DOCUMENTS)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('edit' as const), opener, document }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('pause' as const), turns: fc.nat(6) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('move' as const),
      opener,
      document,
      to: fc.constantFrom(...COLLECTIONS),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const), opener }) },
)

/** Openers of one medium whose writes take as many turns as the test says. */
class Place {
  readonly #medium = new MemoryMedium()
  readonly #turns: readonly number[]
  readonly replicas: Replica[] = []
  #writes = 0

  constructor(turns: readonly number[]) {
    this.#turns = turns
  }

  open(shared = true): Promise<Replica> {
    const sync = async () => {
      this.#writes += 1
      await turns(this.#turns[this.#writes % this.#turns.length] ?? 0)
    }
    return createReplica({
      storage: memoryStorage({ medium: this.#medium, shared, sync }),
      sha256: nodeSha256(),
      logger: consoleLogger('silent'),
    })
  }
}

test('whatever several openers do at once, all see the same, and nothing is lost', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.array(fc.nat(4), { minLength: 1, maxLength: 7 }),
      run,
    ),
    { numRuns: 60 },
  )
})

async function run(steps: readonly Step[], delays: readonly number[]): Promise<void> {
  const place = new Place(delays)
  // All at once, on an empty medium: one of them gives it its name.
  place.replicas.push(...(await Promise.all([place.open(), place.open(), place.open()])))
  expect(new Set(place.replicas.map(({ epoch }) => epoch)).size).toBe(1)
  const written: [document: string, key: string][] = []
  const waiting: Promise<unknown>[] = []
  for (const [index, each] of steps.entries()) {
    if (each.type === 'pause') await turns(each.turns)
    else if (each.type === 'restart') await restart(place, each.opener)
    else if (each.type === 'move') waiting.push(move(at(place, each.opener), each))
    else {
      const key = `${index}`
      const stored = edit(at(place, each.opener), each.document, key)
      waiting.push(stored.then((isStored) => isStored && written.push([each.document, key])))
    }
    const actors = place.replicas.map(({ actor }) => actor)
    expect(new Set(actors).size).toBe(actors.length)
  }
  await Promise.all(waiting)
  await sameEverywhere(place.replicas, written)
  for (const replica of place.replicas) await replica.close()
  const alone = await place.open(false)
  await sameEverywhere([alone], written)
  await alone.close()
}

/** Whether it was stored: an opener that is closed meanwhile takes no edit. */
async function edit(replica: Replica, id: string, key: string): Promise<boolean> {
  try {
    const handle = await replica.open(id, { collection: COLLECTIONS[0] ?? '' })
    handle.change((draft) => ({ ...draft, [key]: replica.actor, last: key }))
    await handle.durable()
    return true
  } catch (error) {
    expect(error).toMatchObject({ code: 'USAGE_CLOSED' })
    return false
  }
}

async function move(replica: Replica, { document: id, to }: { document: string; to: string }) {
  const moved = replica.record(id).then((record) => record && replica.move(id, to))
  await moved.catch((error: unknown) => {
    expect(error).toMatchObject({ code: 'USAGE_CLOSED' })
  })
}

async function restart(place: Place, index: number): Promise<void> {
  await at(place, index).close()
  place.replicas[index] = await place.open()
}

function at(place: Place, index: number): Replica {
  const replica = place.replicas[index]
  if (replica === undefined) throw new Error(`there is no opener ${index}`)
  return replica
}

async function sameEverywhere(
  replicas: readonly Replica[],
  written: readonly (readonly [string, string])[],
): Promise<void> {
  await turns(20)
  const seen = []
  for (const replica of replicas) {
    const documents: Record<string, unknown> = {}
    for (const id of DOCUMENTS) {
      const handle = await replica.open(id)
      const record = await replica.record(id)
      documents[id] = { value: handle.value, heads: handle.heads, home: record?.collection }
      const keys = written.filter(([document]) => document === id).map(([, key]) => key)
      expect(Object.keys(handle.value)).toEqual(expect.arrayContaining(keys))
      expect(handle.missing).toEqual([])
      await handle.close()
    }
    const digests = await Promise.all(COLLECTIONS.map((each) => replica.digest([each])))
    seen.push({ documents, digests, head: replica.head })
  }
  for (const each of seen) expect(each).toEqual(seen[0])
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}
