import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApiServer, type TestApiServer } from '../../../../../support/api-server.ts'
import {
  customCaseFiles,
  customCases,
  playCustom,
  recordedCustom,
} from '../../../../../support/custom-cases.ts'
import { type Outcome, sendTo } from '../../../../../support/kind-cases.ts'

let server: TestApiServer

beforeAll(async () => {
  server = await startTestApiServer()
})

afterAll(() => server.close())

/** Where answers differ from those of kube-apiserver, and why. */
const ACCEPTED: Readonly<Record<string, string>> = {
  'rules that do not compile 0': 'a syntax error is told at the same place in words of our parser',
  'rules about what was before 0':
    'what rules may cost is not estimated from a schema: it is bounded while they are evaluated',
  'updates 8': 'of two things that are wrong with a replacement, the kind is told first',
}

describe.each(customCaseFiles())('%s', (file) => {
  const recorded = new Map(recordedCustom(file).map((item) => [item.case, item.outcomes]))
  test.each(customCases(file).map((item) => [item.case, item] as const))(
    '%s',
    async (name, item) => {
      const { url } = server.server
      const send = sendTo({ url, token: server.token, caPem: server.caPem })
      const played = await playCustom(send, item)
      const wanted = recorded.get(name) ?? []
      for (const [index, outcome] of played.outcomes.entries()) {
        const place = `${name} ${index}`
        if (place in ACCEPTED) expect(outcome.code, place).toBe(wanted[index]?.code)
        else expect(outcome, place).toEqual(wanted[index] as Outcome)
      }
      expect(played.outcomes.length).toBe(wanted.length)
    },
  )
})
