import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createHandle } from '../../src/core/document/create-handle.ts'
import { Documents } from '../../src/core/document/documents.ts'
import { PLAIN_KIND } from '../../src/core/document/kind.ts'
import type { CheckedEvent } from '../../src/core/log/submission.ts'
import { consoleLogger, systemClock } from '../../src/system.ts'
import { Author, incoming } from '../support/author.ts'
import { openLog, sha256 } from '../support/memory-log.ts'

/** Two authors who know of each other from the third event on. */
function history(): readonly CheckedEvent[] {
  const first = new Author('aaaaaaaaaaaaaaaa')
  const events = [first.set('a', 1), first.set('a', 2)]
  const second = first.fork('bbbbbbbbbbbbbbbb')
  for (let value = 3; value < 7; value += 1)
    events.push(first.set('a', value), second.set('b', value))
  return events
}

test('in whatever order events arrive, each is shown once, and after those that it builds on', async () => {
  const events = history()
  const parents = new Map(events.map(({ header }) => [header.hash, header.parents]))
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray([...events.keys()], { minLength: events.length }),
      fc.array(fc.nat(events.length - 1), { maxLength: 5 }),
      async (order, again) => {
        const log = await openLog()
        const documents = new Documents({
          log,
          clock: systemClock,
          sha256,
          logger: consoleLogger('error'),
          cacheBytesMax: 1 << 20,
        })
        const held = await documents.hold('d', PLAIN_KIND, 'c')
        const handle = createHandle(documents, held, {
          acknowledgements: { wait: () => Promise.resolve() },
          replicaOf: () => undefined,
          logger: consoleLogger('silent'),
        })
        const shown = new Set<string>()
        const wrong: string[] = []
        const arrived = new Set<string>()
        const complete = (hash: string): boolean =>
          arrived.has(hash) && (parents.get(hash) ?? []).every(complete)
        handle.subscribe(({ heads }) => {
          const key = heads.join()
          // Noted and not thrown: what a subscriber throws must not reach who delivers.
          if (shown.has(key)) wrong.push(`told twice of ${key}`)
          shown.add(key)
          for (const head of heads) if (!complete(head)) wrong.push(`${head} before its parents`)
        })
        for (const index of [...order, ...again]) {
          const event = events[index]
          if (event === undefined) continue
          arrived.add(event.header.hash)
          const entries = [incoming('d', event)]
          const check = () => undefined
          await log.commit({ type: 'remote', from: 'peer', entries, peer: undefined, check })
          const waits = events.some(
            ({ header }) => arrived.has(header.hash) && !complete(header.hash),
          )
          expect(handle.missing.length > 0).toBe(waits)
        }
        expect(handle.value).toEqual({ a: 6, b: 6 })
        expect(wrong).toEqual([])
        expect(shown.size).toBeGreaterThan(0)
        await log.close()
      },
    ),
    { numRuns: 60 },
  )
})
