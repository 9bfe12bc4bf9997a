import { expect, test } from 'vitest'

import { KeptEvents } from '../../../../src/core/replica/kept-events.ts'
import { answerRanges } from '../../../../src/core/replica/reconcile-ranges.ts'
import { LogNode } from '../../../support/log-node.ts'
import { sha256 } from '../../../support/memory-log.ts'

test('a document of which a peer refused something costs as much to answer for as is read of it', async () => {
  const { log, ...node } = await edited(5)
  const kept = new KeptEvents()
  const view = { log, sha256, granted: ['c'], peer: 'peer', kept }
  const range = { collection: 'c', from: '', to: undefined, fingerprint: undefined }
  const cost = async () => await answerRanges(view, [range, range], 1 << 14)
  expect(await cost()).toMatchObject({ cost: 2 })
  kept.add('d', node.hash)
  expect(await cost()).toMatchObject({ cost: 12 })
})

async function edited(times: number): Promise<{ readonly log: LogNode['log']; hash: string }> {
  const node = await LogNode.open('a')
  for (let i = 0; i < times; i += 1)
    await node.edit('d', (draft) => {
      draft['n'] = i
    })
  const [first] = await node.log.readDocument('d')
  return { log: node.log, hash: first?.hash ?? '' }
}
