import { expect, test } from 'vitest'
import { memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { AnswerTurns } from '../../../../src/core/replica/answer-turns.ts'
import { consoleLogger, createReplica, type Policy } from '../../../../src/index.ts'
import { nodeSha256 } from '../../../../src/node/index.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'

const MESSAGE = new Uint8Array(10)
const POLICY: Policy = { mayRead: () => true, mayWrite: () => undefined }

test('as many begin at once as may, the next ones in order as each ends', async () => {
  const turns = new AnswerTurns(2)
  const all = [turns.turn(), turns.turn(), turns.turn(), turns.turn()]
  const begun: number[] = []
  for (const [index, turn] of all.entries()) {
    const waits = turn.begin(MESSAGE)
    if (waits === undefined) begun.push(index)
    else void waits.then(() => begun.push(index))
  }
  expect(begun).toEqual([0, 1])
  all[1]?.end()
  all[1]?.end()
  await Promise.resolve()
  expect(begun).toEqual([0, 1, 2])
  expect(turns.atOnce).toBe(2)
  for (const turn of all) turn.end()
  expect(turns.atOnce).toBe(0)
})

test('who is gone before its turn is passed over, and is told', async () => {
  const turns = new AnswerTurns(1)
  const [first, second, third] = [turns.turn(), turns.turn(), turns.turn()]
  expect(first.begin(MESSAGE)).toBeUndefined()
  const gone = second.begin(MESSAGE)
  const waits = third.begin(MESSAGE)
  second.end()
  await gone
  first.end()
  await waits
  expect(turns.atOnce).toBe(1)
  third.end()
  expect(turns.atOnce).toBe(0)
})

test('only the first message waits, and none that is too large to be kept', () => {
  const turns = new AnswerTurns(1)
  const busy = turns.turn()
  void busy.begin(MESSAGE)
  const large = turns.turn()
  expect(large.begin(new Uint8Array(200_000))).toBeUndefined()
  expect(large.begin(MESSAGE)).toBeUndefined()
  expect(busy.begin(MESSAGE)).toBeUndefined()
  large.end()
  expect(turns.atOnce).toBe(1)
})

test('more peers than are answered at once all get through, also those behind a peer that is silent', async () => {
  const hub = new MemoryHub()
  const base = { sha256: nodeSha256(), policy: POLICY, logger: consoleLogger('silent') }
  const cloud = await createReplica({ ...base, name: 'cloud', storage: memoryStorage() })
  cloud.serve(hub.listen('memory:cloud'))
  const silent = await hub.transport({ principal: 'silent' }).dial('memory:cloud')
  const brought = Array.from({ length: 160 }, async (_, index) => {
    const name = `edge-${index}`
    const edge = await createReplica({ ...base, name, storage: memoryStorage() })
    const handle = await edge.open<{ edge: string }>(name, { collection: name })
    handle.change((draft) => {
      draft.edge = name
    })
    const transport = hub.transport({ principal: name })
    edge.connect({ transport, address: 'memory:cloud', collections: [name] })
    await handle.durable('cloud')
    await handle.close()
    return edge
  })
  const edges = await Promise.all(brought)
  expect(cloud.head).toBe(edges.length)
  await Promise.all([...edges, cloud].map((replica) => replica.close()))
  await silent.close()
})
