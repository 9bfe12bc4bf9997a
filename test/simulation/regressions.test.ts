import { expect, test } from 'vitest'
import type { SessionOutput } from '../../src/core/sync/io.ts'
import { DEFAULT_LIMITS } from '../../src/core/sync/limits.ts'
import { Streams } from '../../src/core/sync/streams.ts'
import { type RunOptions, simulate } from './run.ts'

/** Seeds that once failed, and why. */
const REGRESSIONS: readonly (readonly [options: RunOptions, what: string])[] = [
  [{ seed: 142 }, 'streams that were opened while the peer did not read were opened out of order'],
]

test.each(REGRESSIONS)('%o: %s', async (options) => {
  const { failures } = await simulate(options)
  expect(failures).toEqual([])
})

test('streams that wait together are opened in the order of their numbers', () => {
  const outputs: SessionOutput[] = []
  const streams = new Streams('dialer', DEFAULT_LIMITS, (output) => outputs.push(output))
  const first = streams.openStream('count', new Uint8Array(0))
  expect(streams.next()).toMatchObject({ type: 'stream-open', stream: first })
  streams.write(first, Uint8Array.of(1))
  expect(streams.next()).toMatchObject({ type: 'stream-bytes', stream: first })
  // The next turn is another's now, and all of these are new to the peer.
  const more = [1, 2, 3].map(() => streams.openStream('count', new Uint8Array(0)))
  streams.reset(first, 'CANCELLED', 'not needed')
  const said = Array.from({ length: 4 }, () => streams.next())
  expect(said.flatMap((frame) => (frame?.type === 'stream-open' ? [frame.stream] : []))).toEqual(
    more,
  )
})
