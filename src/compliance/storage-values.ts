import type { KeyRange, Storage } from '../core/interfaces/storage.ts'
import { checkEqual } from './check.ts'
import { batch, record, type StorageCheck } from './storage-fixture.ts'

/** What the key-value side of a Storage promises. */
export const valueChecks: readonly StorageCheck[] = [
  {
    name: 'get gives the values in the order asked, and undefined where there is none',
    async run({ storage }) {
      await put(storage, { a: 1, b: 2, 'ключ/🔑': 3 })
      await storage.append(batch([], [{ key: 'empty', value: new Uint8Array(0) }]))
      checkEqual(
        (await storage.get(['b', 'none', 'ключ/🔑', 'a', 'b', 'empty'])).map(asArray),
        [[2], undefined, [3], [1], [2], []],
        'the values',
      )
      checkEqual(await storage.get([]), [], 'no keys at all')
    },
  },
  {
    name: 'a put replaces the value, and a put of undefined deletes the key',
    async run({ storage }) {
      await put(storage, { a: 1, b: 1 })
      await put(storage, { a: 2 })
      await storage.append(
        batch(
          [record()],
          [
            { key: 'b', value: undefined },
            { key: 'none', value: undefined },
          ],
        ),
      )
      checkEqual((await storage.get(['a', 'b'])).map(asArray), [[2], undefined], 'the values')
      checkEqual(await keysOf(storage, ''), ['a'], 'the keys')
    },
  },
  {
    name: 'scan gives every key that starts with the prefix, with its value',
    async run({ storage }) {
      await put(storage, { p: 1, 'p/1': 2, 'p/2': 3, p0: 4, q: 5, o: 6 })
      checkEqual(await keysOf(storage, 'p/'), ['p/1', 'p/2'], 'keys under p/')
      checkEqual(await keysOf(storage, 'p'), ['p', 'p/1', 'p/2', 'p0'], 'keys that start with p')
      checkEqual(await keysOf(storage, 'none'), [], 'keys of a prefix that nobody uses')
      const values: number[][] = []
      for await (const { value } of storage.scan('p/')) values.push([...value])
      checkEqual(values, [[2], [3]], 'their values')
    },
  },
  {
    name: 'keys are ordered by their UTF-8 bytes',
    async run({ storage }) {
      // UTF-16 order would put the ship, which is above U+FFFF, before U+FF5E.
      const keys = ['k', 'k\u0001', 'ka', 'kz', 'ké', 'k世', 'k～', 'k🚢']
      await put(storage, Object.fromEntries(keys.toReversed().map((key) => [key, 1])))
      checkEqual(await keysOf(storage, 'k'), keys, 'the order')
    },
  },
  {
    name: 'scan gives the keys of a range',
    async run({ storage }) {
      await put(storage, { a: 1, 'p/a': 1, 'p/b': 1, 'p/ba': 1, 'p/～': 1, 'p/🚢': 1, q: 1 })
      checkEqual(
        await keysOf(storage, 'p/', { from: 'p/b' }),
        ['p/b', 'p/ba', 'p/～', 'p/🚢'],
        'from',
      )
      checkEqual(await keysOf(storage, 'p/', { to: 'p/ba' }), ['p/a', 'p/b'], 'to, without itself')
      checkEqual(
        await keysOf(storage, 'p/', { from: 'p/b', to: 'p/🚢' }),
        ['p/b', 'p/ba', 'p/～'],
        'both',
      )
      checkEqual(
        await keysOf(storage, 'p/', { from: 'a', to: 'z' }).then((k) => k.length),
        5,
        'wider',
      )
      checkEqual(await keysOf(storage, 'p/', { from: 'q' }), [], 'past the prefix')
      checkEqual(await keysOf(storage, 'p/', { from: 'p/c', to: 'p/b' }), [], 'turned around')
    },
  },
  {
    name: 'scan gives thousands of keys, also while others are written',
    async run({ storage }) {
      const keys = Array.from(
        { length: 2_500 },
        (_, index) => `s/${String(index).padStart(5, '0')}`,
      )
      await put(storage, Object.fromEntries(keys.map((key) => [key, 1])))
      const seen: string[] = []
      for await (const { key } of storage.scan('s/')) {
        seen.push(key)
        if (seen.length === 700) await put(storage, { t: 1 })
      }
      checkEqual(seen, keys, 'the keys')
    },
  },
]

async function put(storage: Storage, values: Readonly<Record<string, number>>): Promise<void> {
  const puts = Object.entries(values).map(([key, value]) => ({ key, value: Uint8Array.of(value) }))
  await storage.append(batch([], puts))
}

async function keysOf(
  storage: Storage,
  prefix: string,
  range?: KeyRange,
): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const { key } of storage.scan(prefix, range)) keys.push(key)
  return keys
}

function asArray(value: Uint8Array | undefined): readonly number[] | undefined {
  return value && [...value]
}
