import { expect, test } from 'vitest'
import { noEngineAt } from '../../../../src/adapters/runtime/unreachable.ts'

test.each([
  ['connect ENOENT /run/x.sock', 'there is no such socket (ENOENT)'],
  ['GET /version: connect EACCES /run/x.sock', 'permission denied (EACCES)'],
  ['canceled (caused by: connect ECONNREFUSED /run/x.sock)', 'nobody listens there (ECONNREFUSED)'],
  ['connect EMFILE /run/x.sock', 'EMFILE'],
  ['unknown service runtime.v1.RuntimeService', 'unknown service runtime.v1.RuntimeService'],
])('an engine that answers "%s"', (said, why) => {
  const failure = new Error(said)
  const error = noEngineAt('/run/x.sock', failure)
  expect(error.message).toBe(`no container engine answers at /run/x.sock: ${why}`)
  expect(error).toMatchObject({ reason: 'Unavailable', cause: failure })
})
