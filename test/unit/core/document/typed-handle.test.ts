import {
  consoleLogger,
  createReplica,
  type DocumentHandle,
  type DocumentPatch,
  type JsonMap,
  openIncarnation,
  type Replica,
  type SchemaOutput,
  type StandardSchema,
} from 'tideway'
import { memoryStorage } from 'tideway/adapters/storage/memory'
import { afterEach, beforeEach, expect, expectTypeOf, test } from 'vitest'

import { type Note, noteSchema } from '../../../support/sample-schema.ts'

let replica: Replica

beforeEach(async () => {
  replica = await createReplica({ storage: memoryStorage(), logger: consoleLogger('silent') })
})

afterEach(() => replica.close())

test('the type of a handle is what its schema puts out, or the word of the caller', async () => {
  const typed = await replica.open('a', { schema: noteSchema() })
  expectTypeOf(typed).toEqualTypeOf<DocumentHandle<Note>>()
  expectTypeOf(typed.value.title).toEqualTypeOf<string>()
  expectTypeOf(typed.at).returns.toEqualTypeOf<Note>()
  const told = await replica.open<{ n: number }>('b', { collection: 'c' })
  expectTypeOf(told.value).toEqualTypeOf<{ n: number }>()
  const both = await replica.open<{ n: number }>('c', { schema: noteSchema() })
  expectTypeOf(both.value).toEqualTypeOf<{ n: number }>()
  expectTypeOf((await replica.open('d')).value).toEqualTypeOf<JsonMap>()
  const again = await openIncarnation<Note>(replica, 'e')
  expectTypeOf(again.value).toEqualTypeOf<Note>()
})

test('a schema that turns its input into something else gives the type of what comes out', () => {
  type Counted = StandardSchema<{ count: string }, { count: number }>
  expectTypeOf<SchemaOutput<Counted>>().toEqualTypeOf<{ count: number }>()
})

test('patches are there for who asks for them, and for nobody else', async () => {
  const note = await replica.open('a', { schema: noteSchema() })
  note.subscribe((change) => expectTypeOf(change).not.toHaveProperty('patches'))
  note.subscribe(
    ({ patches, value }) => {
      expectTypeOf(patches).toEqualTypeOf<readonly DocumentPatch[]>()
      expectTypeOf(value).toEqualTypeOf<Note>()
    },
    { patches: true },
  )
  // @ts-expect-error a recipe gives back the same type
  expect(() => note.change(() => ({ title: 1 }))).toThrow(/refuses/)
})
