import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { ObjectStore } from '../objects/types.ts'
import { tokenRefusal } from './admission/node-restriction.ts'
import type { ServerIdentity } from './api-server.ts'
import { parseObject, readBody } from './body.ts'
import type { User } from './context.ts'
import { negotiate } from './negotiate.ts'
import { methodNotAllowed } from './operations.ts'
import type { ResourceRequest } from './request.ts'
import { type Reply, replyWith } from './respond.ts'
import { forbidden, unknownResource } from './status.ts'
import { tokenFor } from './token-request.ts'

/** What {@link answerToken} works with. */
export interface TokenSource {
  readonly store: ObjectStore
  readonly identity?: ServerIdentity | undefined
  readonly clock: Clock
}

/**
 * Answers a request to `serviceaccounts/NAME/token`.
 *
 * @throws StatusError: 404 where no tokens are issued, 405, 403 for a node and an account of no pod of it.
 */
export async function answerToken(
  request: IncomingMessage,
  { verb, namespace = '', name = '' }: ResourceRequest,
  user: User,
  { store, identity, clock }: TokenSource,
): Promise<Reply> {
  const accounts = identity?.accounts
  if (accounts === undefined) throw unknownResource()
  if (verb !== 'create') throw methodNotAllowed()
  const { format } = negotiate(request.headers.accept)
  const { value } = parseObject(await readBody(request), request.headers['content-type'])
  const why = tokenRefusal(user, namespace, value, store)
  const kind = { plural: 'serviceaccounts', group: '', kind: 'ServiceAccount' }
  if (why !== undefined) throw forbidden(kind, name, why)
  const ask = { namespace, name, body: value, accounts, store, nowMs: clock.wallMs() }
  return replyWith(tokenFor(ask), 201, format)
}
