import { expect, test } from 'vitest'

import { SendCredit } from '../../../../src/core/sync/credit.ts'
import type { ReadAnswer } from '../../../../src/core/sync/io.ts'
import { LogSender } from '../../../../src/core/sync/log-sender.ts'

const PAGE_BYTES = 64 * 1024

/** A sender for a log up to `head` of which the peer has nothing yet, with its first page being read. */
function reading(head: number): LogSender {
  const sender = new LogSender(0, head, ['a'], new SendCredit(1 << 20), PAGE_BYTES)
  expect(sender.nextRead()).toMatchObject({ after: 0 })
  return sender
}

function page(upTo: number): ReadAnswer {
  const bytes = new Uint8Array(8)
  const entry = { kind: 'event', document: 'd', collection: 'a', generation: 1, bytes } as const
  return { entries: [entry], upTo, end: true }
}

function sendPage(sender: LogSender, upTo: number): void {
  sender.handleRead(page(upTo))
  expect(sender.nextFrame()).toMatchObject({ entries: 1 })
}

test('what is no news and comes while a page is read is not read', () => {
  const sender = reading(10)
  sender.pass(11)
  sender.pass(15)
  sendPage(sender, 10)
  expect(sender.nextRead()).toBeUndefined()
  expect(sender.sent).toBe(15)
})

test('news behind what is none is read, and nothing else', () => {
  const sender = reading(10)
  sender.pass(12)
  sender.grow(13)
  sendPage(sender, 10)
  expect(sender.nextRead()).toMatchObject({ after: 12 })
  sender.pass(14)
  sendPage(sender, 13)
  expect(sender.nextRead()).toBeUndefined()
  expect(sender.sent).toBe(14)
})

test('news before what is none is read', () => {
  const sender = reading(10)
  sender.grow(11)
  sender.pass(12)
  sendPage(sender, 10)
  expect(sender.nextRead()).toMatchObject({ after: 10 })
})

test('when more is shared, or the peer goes back, everything is read again', () => {
  const shared = reading(10)
  shared.pass(12)
  shared.share(['a', 'b'])
  sendPage(shared, 10)
  expect(shared.nextRead()).toMatchObject({ after: 10 })
  const back = reading(10)
  back.pass(12)
  back.moveTo(10)
  expect(back.nextRead()).toMatchObject({ after: 10 })
})
