import type { Storage } from '../core/interfaces/storage.ts'
import { check, checkCode, checkEqual, isSettled, rejectionOf, within } from './check.ts'
import { batch, positionsOf, readAll, record, type StorageCheck } from './storage-fixture.ts'

const isShared: StorageCheck['when'] = ({ shared }) => shared

/** What a Storage promises that several may open at once. */
export const sharedChecks: readonly StorageCheck[] = [
  {
    name: 'openers at one time have numbers of their own, and use them again',
    when: isShared,
    run: (context) =>
      withSecond(context, async (second) => {
        const { storage, place, deadlineMs } = context
        checkEqual(storage.opener ?? 0, 0, 'the opener that came first')
        checkEqual(second.opener, 1, 'the one that came second')
        await second.close()
        const again = await within(place.open(), deadlineMs, 'opening a third time')
        checkEqual(again.opener, 1, 'the one that came when the second had gone')
        await again.close()
      }),
  },
  {
    name: 'what one opener appends and drops the others read',
    when: isShared,
    run: (context) =>
      withSecond(context, async (second) => {
        const { storage } = context
        checkEqual(await second.head(), 0, 'the head before')
        await storage.append(batch([record()], [{ key: 'k', value: Uint8Array.of(1) }]))
        checkEqual(await second.head(), 1, 'the head after an append of the first opener')
        checkEqual(await second.append(batch([record()])), { first: 2, head: 2, revision: 2 }, 'it')
        await storage.drop([1])
        for (const opener of [storage, second]) {
          checkEqual(positionsOf(await readAll(opener)), [2], 'the log')
          checkEqual(await opener.get(['k']), [Uint8Array.of(1)], 'the value')
          checkEqual(await opener.head(), 2, 'the head')
          checkEqual(await opener.revision?.(), 2, 'the revision')
        }
      }),
  },
  {
    name: 'expectedHead sees what other openers append',
    when: isShared,
    run: (context) =>
      withSecond(context, async (second) => {
        const { storage, deadlineMs } = context
        await second.append({ ...batch([record()]), expectedHead: 0 })
        const late = storage.append({ ...batch([record()]), expectedHead: 0 })
        checkCode(await rejectionOf(late, deadlineMs, 'the late append'), 'STORAGE_CONFLICT', 'it')
        checkEqual(await storage.head(), 1, 'the head after the conflict')
      }),
  },
  {
    name: 'expectedRevision sees the appends of other openers, puts alone included',
    when: isShared,
    run: (context) =>
      withSecond(context, async (second) => {
        const { storage, deadlineMs } = context
        const put = (value: number) => [{ key: 'k', value: Uint8Array.of(value) }]
        const before = (await storage.revision?.()) ?? 0
        await second.append(batch([], put(1)))
        const late = storage.append({ ...batch([record()], put(2)), expectedRevision: before })
        checkCode(await rejectionOf(late, deadlineMs, 'the late append'), 'STORAGE_CONFLICT', 'it')
        checkEqual(await storage.get(['k']), [Uint8Array.of(1)], 'the value after the conflict')
        checkEqual(await storage.head(), 0, 'the head after the conflict')
        const revision = await storage.revision?.()
        checkEqual(revision, before + 1, 'the revision')
        await storage.append({ ...batch([record()]), expectedRevision: revision })
      }),
  },
  {
    name: 'of openers that expect the same revision, one wins each time',
    when: isShared,
    run: (context) =>
      withSecond(context, async (second) => {
        const { storage, deadlineMs } = context
        for (let round = 0; round < 20; round++) {
          const expectedRevision = await storage.revision?.()
          const calls = [storage, second].map((opener) =>
            opener.append({ ...batch([record()]), expectedRevision }),
          )
          const settled = await within(Promise.allSettled(calls), deadlineMs, 'two appends at once')
          const winners = settled.filter(({ status }) => status === 'fulfilled')
          checkEqual(winners.length, 1, 'how many won')
          checkEqual(await second.head(), round + 1, 'the head')
        }
      }),
  },
  {
    name: 'tail tells of the appends of others and of nothing else, until it is cancelled',
    when: isShared,
    run: (context) =>
      withSecond(context, async (second) => {
        const { storage, deadlineMs } = context
        let tell: (head: number) => void = () => undefined
        let heads: number[] = []
        const cancel = storage.tail?.((head) => {
          heads.push(head)
          tell(head)
        })
        check(cancel !== undefined, 'a shared storage has a tail')
        await storage.append(batch([record()]))
        const told = new Promise<number>((resolve) => {
          tell = resolve
        })
        await isSettled(told)
        checkEqual(heads, [], 'what tail tells of the appends of its own opener')
        await second.append(batch([record()]))
        checkEqual(await within(told, deadlineMs, 'being told of an append'), 2, 'the head told')
        const toldOfPuts = new Promise<number>((resolve) => {
          tell = resolve
        })
        await second.append(batch([], [{ key: 'k', value: Uint8Array.of(1) }]))
        await within(toldOfPuts, deadlineMs, 'being told of puts')
        cancel()
        heads = []
        await second.append(batch([record()]))
        await isSettled(new Promise(() => undefined))
        checkEqual(heads, [], 'what a cancelled tail is told')
      }),
  },
  {
    name: 'an opener that closes leaves the others open',
    when: isShared,
    run: (context) =>
      withSecond(context, async (second) => {
        const { storage } = context
        await storage.append(batch([record()]))
        await storage.close()
        checkEqual((await second.append(batch([record()]))).first, 2, 'the position')
        checkEqual(positionsOf(await readAll(second)), [1, 2], 'the log')
      }),
  },
]

async function withSecond(
  { place, deadlineMs }: Parameters<StorageCheck['run']>[0],
  run: (second: Storage) => Promise<void>,
): Promise<void> {
  const second = await within(place.open(), deadlineMs, 'opening a second time')
  try {
    await run(second)
  } finally {
    await within(second.close(), deadlineMs, 'closing the second opener')
  }
}
