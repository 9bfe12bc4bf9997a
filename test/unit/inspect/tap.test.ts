import { afterEach, expect, test } from 'vitest'
import { grants } from '../../../src/core/access/policy.ts'
import type { Replica } from '../../../src/index.ts'
import { tap, tapListener } from '../../../src/inspect/index.ts'
import { MemoryHub } from '../../../src/transports/memory/index.ts'
import { eventually, openTestReplica } from '../../support/fleet.ts'

const open: Replica[] = []
afterEach(async () => {
  for (const replica of open.splice(0)) await replica.close()
})

test('two replicas that talk are heard at both ends, and talk as ever', async () => {
  const hub = new MemoryHub()
  const all = { read: ['*'], write: ['*'] }
  const policy = grants({ a: all, b: all })
  const [a, b] = [
    await openTestReplica({ name: 'a', policy }),
    await openTestReplica({ name: 'b', policy }),
  ]
  open.push(a, b)
  const lines: { readonly a: string[]; readonly b: string[] } = { a: [], b: [] }
  b.serve(
    tapListener(hub.listen('memory:b'), (line) => {
      lines.b.push(line)
      throw new Error('a printer that fails harms nobody')
    }),
  )
  a.connect({
    transport: tap(hub.transport({ principal: 'a' }), (line) => lines.a.push(line)),
    address: 'memory:b',
    collections: ['c'],
    principal: 'b',
  })
  const note = await a.open<{ text?: string }>('c/1', { collection: 'c' })
  note.change(() => ({ text: 'heard' }))
  await note.durable('b')
  await eventually(() => lines.a.some((line) => / ACK /.test(line)))
  const words = (from: readonly string[], sign: string): readonly string[] =>
    from.filter((line) => line.startsWith(`${sign} `)).map((line) => line.split(' ')[2] ?? '')
  expect(words(lines.a, '>')).toContain('HELLO')
  expect(words(lines.a, '<')).toContain('WELCOME')
  expect(words(lines.a, '>').some((word) => word === 'EVENTS')).toBe(true)
  expect(words(lines.b, '<')).toContain('HELLO')
  expect([...lines.a, ...lines.b].join()).not.toContain('heard')
})
