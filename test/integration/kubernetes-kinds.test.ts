import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { kindCaseFiles, kindCases, playCase, recordedCases, sendTo } from '../support/kind-cases.ts'

// What this server makes of objects of every kind, beside what kube-apiserver made of them.

/** What differs, and why. A case that comes to agree is taken out of here. */
const ACCEPTED: Readonly<Record<string, string>> = {
  'endpoint slice': 'what an update leaves as it was is checked again',
  'event of the new group with mistakes':
    'events are one kind here, with the checks of the old one',
  'autoscaler with odd behaviour': 'an empty list is the same as none, and so completed',
  ingress: 'an empty list is the same as none, and shown as null',
  node: 'a new node is taken at its word and gets no taint',
}

// What one case leaves, the next may meet: none is tried twice.
describe('kinds', { retry: 0 }, () => {
  let target: TestApiServer
  beforeAll(async () => {
    target = await startTestApiServer()
  })
  afterAll(async () => {
    await target.close()
  })

  for (const file of kindCaseFiles()) {
    const recorded = new Map(recordedCases(file).map((played) => [played.case, played]))
    describe(file, () => {
      for (const item of kindCases(file)) {
        test(item.case, async () => {
          const expected = recorded.get(item.case)
          expect(expected).toBeDefined()
          const played = await playCase(sendTo({ ...target, url: target.server.url }), item)
          if (ACCEPTED[item.case] === undefined) expect(played).toEqual(expected)
          else expect(played).not.toEqual(expected)
        })
      }
    })
  }
})
