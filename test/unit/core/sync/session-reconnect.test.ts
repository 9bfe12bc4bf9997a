import { randomFillSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { SessionPair } from '../../../support/session-pair.ts'
import { TinyReplica } from '../../../support/tiny-replica.ts'

const NODE = 'node/edge-1'

function change(bytes = 118): Uint8Array {
  return randomFillSync(new Uint8Array(bytes))
}

function documentName(i: number): string {
  return `core/v1/pods/default/web-${String(i).padStart(4, '0')}-7d9f/spec`.padEnd(40, 'x')
}

/** Two replicas that have exchanged `documents` documents once. */
function synced(documents: number): { edge: TinyReplica; cloud: TinyReplica } {
  const edge = new TinyReplica('edge-1', [NODE])
  const cloud = new TinyReplica('cloud', [NODE])
  for (let i = 0; i < documents; i += 1) edge.write(NODE, documentName(i), change())
  const pair = new SessionPair(edge, cloud).run()
  expect(cloud.content([NODE])).toEqual(edge.content([NODE]))
  pair.cut()
  return { edge, cloud }
}

describe('a reconnect', () => {
  test('after 3 and 2 changes costs one round trip and at most 1,100 bytes', () => {
    const { edge, cloud } = synced(1000)
    for (const i of [1, 500, 999]) cloud.write(NODE, documentName(i), change())
    for (const i of [7, 500]) edge.write(NODE, documentName(i), change())
    const pair = new SessionPair(edge, cloud).run()
    console.log(
      'benchmark case',
      pair.bytes,
      'bytes',
      pair.dialer.sent.map((m) => m.length),
      pair.accepter.sent.map((m) => m.length),
    )
    expect(cloud.content([NODE])).toEqual(edge.content([NODE]))
    expect(pair.messages).toBe(3)
    expect(pair.bytes).toBeLessThanOrEqual(1100)
    expect(pair.dialer.session.agreed).toBe(true)
  })

  test('without changes costs one message each way', () => {
    const { edge, cloud } = synced(100)
    const pair = new SessionPair(edge, cloud).run()
    expect(pair.messages).toBe(2)
    expect(pair.bytes).toBeLessThanOrEqual(200)
    expect(pair.dialer.session.agreed).toBe(true)
  })
})
