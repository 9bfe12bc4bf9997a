import {
  createReplica,
  type DocumentHandle,
  grants,
  type LogFields,
  type Logger,
  type Replica,
  type StandardSchema,
} from 'tideway'
import { MemoryMedium, memoryStorage } from 'tideway/adapters/storage/memory'
import { MemoryHub } from 'tideway/transports/memory'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { eventually } from '../../../support/fleet.ts'
import { type Note, noteSchema, untitled } from '../../../support/sample-schema.ts'

let replica: Replica
let medium: MemoryMedium
let warnings: (LogFields | undefined)[]

const silent = (): void => undefined
const logger: Logger = {
  debug: silent,
  info: silent,
  error: silent,
  warn: (message, fields) => {
    if (message === 'a document does not fit its schema') warnings.push(fields)
  },
  child: () => logger,
}

beforeEach(async () => {
  warnings = []
  medium = new MemoryMedium()
  replica = await start()
})

afterEach(() => replica.close())

function start(): Promise<Replica> {
  const share = { read: ['default'], write: ['default'] }
  const policy = grants({ a: share, b: share })
  return createReplica({ storage: memoryStorage({ medium }), logger, policy })
}

function open(): Promise<DocumentHandle<Note>> {
  return replica.open('note', { schema: noteSchema() })
}

test('a local edit that does not fit is refused with what is wrong, and changes nothing', async () => {
  const note = await open()
  expect(note.issues).toEqual([])
  note.change(() => ({ title: 'hello', stars: 5 }))
  const told: unknown[] = []
  note.subscribe((change) => told.push(change))
  expect(() =>
    note.change((draft) => {
      draft.stars = 9
    }),
  ).toThrow(
    expect.objectContaining({
      code: 'VALUE_INVALID',
      fields: { document: 'note', issues: [{ path: ['stars'], message: 'must be 0 to 5' }] },
    }),
  )
  expect(() => note.write(note.value, { stars: 1 } as Note)).toThrow(/refuses/)
  expect([note.value, told, note.issues]).toEqual([{ title: 'hello', stars: 5 }, [], []])
  expect([...note.history()]).toHaveLength(1)
})

test('a value that came otherwise is kept, reported once, and can be put right', async () => {
  const note = await open()
  const free = await replica.open('note')
  const again = await open()
  const told: unknown[] = []
  note.subscribe(({ issues, value }) => told.push([issues, value]))
  const wrong = { stars: 1, later: 'a field that the schema does not know' }
  free.change(() => wrong)
  expect(told).toEqual([[untitled, wrong]])
  expect([note.issues, again.issues]).toEqual([untitled, untitled])
  expect(note.value).toEqual(wrong)
  expect(warnings).toEqual([{ document: 'note', issues: untitled }])
  note.change((draft) => {
    draft.title = 'now'
  })
  expect(note.value).toEqual({ ...wrong, title: 'now' })
  expect([note.issues, warnings.length]).toEqual([[], 1])
})

test('a value of a peer that does not fit is reported, also when it was there before', async () => {
  const hub = new MemoryHub()
  replica.serve(hub.listen('a'))
  const peer = await createReplica({ storage: memoryStorage(), logger, name: 'peer' })
  const theirs = await peer.open('note')
  theirs.change(() => ({ title: 7 }))
  const note = await open()
  const uplink = peer.connect({
    transport: hub.transport({ principal: 'b' }),
    address: 'a',
    collections: ['default'],
  })
  void uplink
  await eventually(() => note.heads.length > 0)
  expect([note.value, note.issues]).toEqual([{ title: 7 }, untitled])
  expect(warnings).toHaveLength(1)
  await peer.close()
  await replica.close()
  replica = await start()
  expect((await open()).issues).toEqual(untitled)
  expect(warnings).toHaveLength(2)
})

test('a schema that fails finds fault and brings nothing down', async () => {
  const note = await replica.open('note', { schema: noteSchema({ throws: true }) })
  expect(() => note.change(() => ({ title: 'x' }))).toThrow('no')
  const free = await replica.open('note')
  free.change(() => ({ title: 'x' }))
  expect(note.issues).toEqual([{ path: [], message: 'the schema failed' }])
  await note.close()
})

test('a schema that answers with a promise, or is none, is refused at opening', async () => {
  const wrong = [noteSchema({ async: true }), { '~standard': {} } as StandardSchema]
  for (const schema of wrong) {
    await expect(replica.open('note', { schema })).rejects.toMatchObject({
      code: 'USAGE_INVALID_ARGUMENT',
      fields: { field: 'schema' },
    })
  }
  const note = await open()
  note.change(() => ({ title: 'works' }))
  expect(note.value).toEqual({ title: 'works' })
})
