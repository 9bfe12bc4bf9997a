import {
  consoleLogger,
  createReplica,
  type DocumentHandle,
  type DocumentKind,
  grants,
  type Replica,
} from 'tideway'
import { MemoryMedium, memoryStorage } from 'tideway/adapters/storage/memory'
import { MemoryHub } from 'tideway/transports/memory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { eventually } from '../../../support/fleet.ts'

type Pod = {
  image?: string
  labels?: Record<string, string>
  containers?: { name: string; image: string; env?: string }[]
  restarts?: number
  words?: string[]
}

const KIND: DocumentKind = {
  name: 'versions/v1',
  shape: {
    type: 'map',
    fields: {
      containers: { type: 'list', keys: ['name'] },
      restarts: { type: 'counter' },
      words: { type: 'set' },
    },
  },
  skeleton: ['labels', 'containers'],
}
const SHARE = { read: ['c'], write: ['c'] }
const OPTIONS = { policy: grants({ a: SHARE, b: SHARE }), logger: consoleLogger('silent') }

let a: Replica
let b: Replica
let hub: MemoryHub
let medium: MemoryMedium

beforeEach(async () => {
  hub = new MemoryHub()
  medium = new MemoryMedium()
  a = await createReplica({
    ...OPTIONS,
    kinds: [KIND],
    name: 'a',
    storage: memoryStorage({ medium }),
  })
  b = await createReplica({ ...OPTIONS, kinds: [KIND], name: 'b', storage: memoryStorage() })
  b.serve(hub.listen('b'))
})

afterEach(async () => {
  await a.close()
  await b.close()
})

function open(replica: Replica, id = 'pod'): Promise<DocumentHandle<Pod>> {
  return replica.open<Pod>(id, { collection: 'c', kind: KIND })
}

/** Connects both until each shows what the other has. */
async function meet(...ids: readonly string[]): Promise<void> {
  const transport = hub.transport({ principal: 'a' })
  const uplink = a.connect({ transport, address: 'b', principal: 'b', collections: ['c'] })
  for (const id of ids.length === 0 ? ['pod'] : ids) {
    const [here, there] = [await open(a, id), await open(b, id)]
    await eventually(() => here.heads.length > 0 && here.heads.join() === there.heads.join())
    await here.close()
    await there.close()
  }
  await uplink.close()
}

/** Both write from the same state while apart, then meet. */
async function apart(
  start: Pod,
  atA: (draft: Pod) => void,
  atB: (draft: Pod) => void,
): Promise<readonly [DocumentHandle<Pod>, DocumentHandle<Pod>]> {
  const [here, there] = [await open(a), await open(b)]
  here.change(() => start, { timeSeconds: 1000 })
  await meet()
  here.change(atA, { timeSeconds: 2000, message: 'by hand' })
  there.change(atB, { timeSeconds: 3000 })
  await meet()
  return [here, there]
}

describe('at', () => {
  test('is the value that was seen, frozen, also after a restart', async () => {
    const pod = await open(a)
    pod.change(() => ({ image: 'web:1', containers: [{ name: 'x', image: 'x:1' }] }))
    const { heads, value } = pod
    pod.change((draft) => {
      draft.image = 'web:2'
    })
    await pod.durable()
    await a.close()
    a = await createReplica({ ...OPTIONS, kinds: [KIND], storage: memoryStorage({ medium }) })
    const again = await open(a)
    expect(again.at(heads)).toEqual(value)
    expect(Object.isFrozen(again.at(heads))).toBe(true)
    expect(again.at(again.heads)).toEqual({ ...value, image: 'web:2' })
    expect(again.at([])).toEqual({})
  })

  test('names the heads that are not here', async () => {
    const pod = await open(a)
    const hash = pod.change(() => ({ image: 'web:1' })) ?? ''
    const unknown = 'f'.repeat(64)
    expect(() => pod.at([hash, unknown])).toThrow(
      expect.objectContaining({
        code: 'DOCUMENT_HISTORY_MISSING',
        fields: { document: 'pod', missing: [unknown] },
      }),
    )
    expect(() => pod.at(['web:1'])).toThrow(
      expect.objectContaining({ code: 'USAGE_INVALID_ARGUMENT' }),
    )
  })

  test('shows what a deleted document was', async () => {
    const pod = await open(a)
    pod.change(() => ({ image: 'web:1' }))
    await pod.durable()
    await a.delete('pod')
    expect([pod.value, pod.deleted]).toEqual([{}, true])
    expect(pod.at(pod.heads)).toEqual({ image: 'web:1' })
    expect([...pod.history()]).toHaveLength(1)
    expect(pod.conflicts()).toEqual([])
  })
})

describe('history', () => {
  test('says who, when, what for and after which, of peers that were met too', async () => {
    const [here] = await apart(
      { image: 'web:1' },
      (draft) => {
        draft.image = 'web:2'
      },
      (draft) => {
        draft.labels = { app: 'web' }
      },
    )
    const history = [...here.history()]
    const first = history.at(-1)
    expect(history).toHaveLength(3)
    expect(history).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ replica: 'b', timeMs: 3_000_000, parents: [first?.hash] }),
        expect.objectContaining({ replica: 'a', message: 'by hand', parents: [first?.hash] }),
      ]),
    )
    expect(first).toMatchObject({ replica: 'a', sequence: 1, timeMs: 1_000_000, parents: [] })
    expect([...here.history({ order: 'oldest' })]).toEqual([...history].reverse())
  })

  test('is read as far as it is asked for, from any state on', async () => {
    const pod = await open(a)
    for (let n = 1; n <= 50; n += 1) {
      pod.change(
        (draft) => {
          draft.image = `web:${n}`
        },
        { message: `edit ${n}` },
      )
    }
    const messages = (options: Parameters<typeof pod.history>[0]) =>
      [...pod.history(options)].map(({ message }) => message)
    expect(messages({ limit: 2 })).toEqual(['edit 50', 'edit 49'])
    expect(messages({ limit: 2, order: 'oldest' })).toEqual(['edit 1', 'edit 2'])
    const early = [...pod.history()].at(-3)?.hash ?? ''
    expect(messages({ heads: [early] })).toEqual(['edit 3', 'edit 2', 'edit 1'])
    expect(messages({ heads: [early], order: 'oldest', limit: 2 })).toEqual(['edit 1', 'edit 2'])
    expect(messages({ limit: 0 })).toEqual([])
    expect(() => messages({ limit: -1 })).toThrow(/limit/)
    const walk = pod.history()[Symbol.iterator]()
    walk.next()
    await pod.close()
    expect(() => walk.next()).toThrow(/closed/)
  })
})

test("history goes back to where it was cut: the cut itself is nobody's edit", async () => {
  const pod = await open(a)
  const early = pod.change(() => ({ image: 'web:1', labels: { app: 'web' } })) ?? ''
  await pod.durable()
  expect(await a.compact('pod')).toBe(true)
  const cut = pod.heads
  expect(pod.value).toEqual({ image: 'web:1', labels: { app: 'web' } })
  expect([...pod.history()]).toEqual([])
  const late = pod.change((draft) => {
    draft.image = 'web:2'
  })
  expect([...pod.history()]).toMatchObject([{ hash: late, replica: 'a', parents: [] }])
  expect(pod.at(cut)).toEqual({ image: 'web:1', labels: { app: 'web' } })
  const missing = expect.objectContaining({ code: 'DOCUMENT_HISTORY_MISSING' })
  for (const gone of [early, cut[0] ?? '']) expect(() => pod.undo(gone)).toThrow(missing)
  expect(() => pod.at([early])).toThrow(missing)
  expect(pod.undo(late ?? '').left).toEqual([])
  expect(pod.value).toEqual({ image: 'web:1', labels: { app: 'web' } })
})

describe('conflicts', () => {
  test('are told with author, time and winner, alike on both replicas', async () => {
    const [here, there] = await apart(
      { image: 'web:1', containers: [{ name: 'x', image: 'x:1' }] },
      (draft) => {
        draft.image = 'web:a'
        draft.containers = [
          { name: 'y', image: 'y:1' },
          { name: 'x', image: 'x:a' },
        ]
      },
      (draft) => {
        draft.image = 'web:b'
        draft.containers = [{ name: 'x', image: 'x:b' }]
      },
    )
    const place = here.value.containers?.findIndex(({ name }) => name === 'x') ?? -1
    expect(here.conflicts()).toEqual([['containers', place, 'image'], ['image']])
    expect(here.conflicts({ limit: 1 })).toHaveLength(1)
    const image = here.conflicts(['image'])
    expect(image.map(({ value }) => value).sort()).toEqual(['web:a', 'web:b'])
    expect(image.map(({ wins }) => wins)).toEqual([true, false])
    expect(image[0]?.value).toBe(here.value.image)
    for (const { value, replica, hash, timeMs } of image) {
      const edit = [...here.history()].find((entry) => entry.hash === hash)
      expect([replica, timeMs]).toEqual([edit?.replica, edit?.timeMs])
      expect(value).toBe(`web:${replica}`)
    }
    const item = here.conflicts(['containers', 'x', 'image'])
    expect(item).toEqual(here.conflicts(['containers', place, 'image']))
    expect(item.map(({ value }) => value).sort()).toEqual(['x:a', 'x:b'])
    expect(there.conflicts(['image'])).toEqual(image)
    expect(here.conflicts(['labels', 'none'])).toEqual([])
    here.change((draft) => {
      draft.image = 'web:settled'
    })
    expect(here.conflicts(['image'])).toEqual([])
  })

  test('of whole maps show both, and the same value from both sides is none', async () => {
    const options = { collection: 'c' }
    const [here, there] = [await a.open('plain', options), await b.open('plain', options)]
    here.change(() => ({ same: 1, map: { from: 'a' } }))
    there.change(() => ({ same: 1, map: { from: 'b', list: ['x'] } }))
    await meet('plain')
    expect(here.conflicts()).toEqual([['map']])
    expect(here.conflicts(['map']).map(({ value }) => value)).toEqual(
      expect.arrayContaining([{ from: 'a' }, { from: 'b', list: ['x'] }]),
    )
  })
})

describe('undo', () => {
  test('takes back an edit of a peer, as a new edit, and leaves later ones alone', async () => {
    const [here, there] = await apart(
      { image: 'web:1', restarts: 1, words: ['old'], containers: [{ name: 'x', image: 'x:1' }] },
      () => undefined,
      (draft) => {
        draft.image = 'web:bad'
        draft.labels = { app: 'bad', tier: 'bad' }
        draft.restarts = 6
        draft.words = ['new']
        draft.containers = [{ name: 'y', image: 'y:bad' }]
      },
    )
    const bad = [...here.history()].find(({ replica }) => replica === 'b')?.hash ?? ''
    here.change((draft) => {
      draft.image = 'web:mine'
      draft.restarts = 8
      draft.labels = { app: 'mine', tier: 'bad' }
      draft.words = [...(draft.words ?? []), 'mine']
    })
    const before = [...here.history()].length
    const { hash, left } = here.undo(bad)
    expect(here.value).toEqual({
      image: 'web:mine',
      labels: { app: 'mine' },
      restarts: 3,
      words: ['mine', 'old'],
      containers: [{ name: 'x', image: 'x:1' }],
    })
    expect(left).toEqual(expect.arrayContaining([['image'], ['labels', 'app']]))
    expect(left).toHaveLength(2)
    const history = [...here.history()]
    expect(history).toHaveLength(before + 1)
    expect(history[0]).toMatchObject({ hash, message: `undo ${bad.slice(0, 8)}`, replica: 'a' })
    await meet()
    expect(there.value).toEqual(here.value)
    // An undo is an edit: it can be taken back as well.
    here.undo(hash ?? '', { message: 'after all' })
    expect(here.value.containers).toEqual([{ name: 'y', image: 'y:bad' }])
    expect([...here.history({ limit: 1 })][0]?.message).toBe('after all')
  })

  test('leaves an added item alone as a whole when somebody wrote into it', async () => {
    const pod = await open(a)
    pod.change(() => ({ containers: [{ name: 'x', image: 'x:1' }] }))
    const added = pod.change((draft) => void draft.containers?.push({ name: 'y', image: 'y:1' }))
    pod.change((draft) => void Object.assign(draft.containers?.[1] ?? {}, { env: 'mine' }))
    const { hash, left } = pod.undo(added ?? '')
    expect([hash, left]).toEqual([undefined, [['containers', 1]]])
    expect(pod.value.containers?.[1]).toEqual({ name: 'y', image: 'y:1', env: 'mine' })
  })

  test('moves items back, puts removed ones back in their place, unless they were moved again', async () => {
    const pod = await open(a)
    const named = (names: string) => [...names].map((name) => ({ name, image: '1' }))
    const names = () => pod.value.containers?.map(({ name }) => name).join('')
    pod.change(() => ({ containers: named('abcd') }))
    const moved = pod.change(() => ({ containers: named('dba') })) ?? ''
    pod.change((draft) => void draft.containers?.push(...named('e')))
    pod.undo(moved)
    expect(names()).toBe('abcde')
    const again = pod.change(() => ({ containers: named('edcba') })) ?? ''
    pod.change(() => ({ containers: named('bcdea') }))
    const { left } = pod.undo(again)
    expect([names(), left]).toEqual(['bcdea', [['containers']]])
  })

  test('of several edits takes back all of them, and refuses what is not here', async () => {
    const pod = await open(a)
    pod.change(() => ({ image: 'web:1' }))
    const edits = [2, 3, 4].map(
      (n) =>
        pod.change((draft) => {
          draft.image = `web:${n}`
        }) ?? '',
    )
    expect(pod.undo(edits).left).toEqual([])
    expect(pod.value).toEqual({ image: 'web:1' })
    expect(() => pod.undo('0'.repeat(64))).toThrow(
      expect.objectContaining({ code: 'DOCUMENT_HISTORY_MISSING' }),
    )
    expect(() => pod.undo([])).toThrow(expect.objectContaining({ code: 'USAGE_INVALID_ARGUMENT' }))
  })
})
