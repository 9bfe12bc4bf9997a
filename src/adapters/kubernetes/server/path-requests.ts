import type { IncomingMessage } from 'node:http'
import type { AccountTokens } from '../identity/account-tokens.ts'
import { answerOpenId } from './openid.ts'
import { methodNotAllowed } from './operations.ts'
import { answerPath, type PathSource } from './paths.ts'
import type { PathRequest } from './request.ts'
import type { RequestCounts } from './request-counts.ts'
import { isInVersionedGroup } from './request-scope.ts'
import { type Reply, replyText } from './respond.ts'
import { unknownResource } from './status.ts'

/** What the paths that are no resources are answered from. */
export interface PathAnswers {
  readonly paths: PathSource
  readonly accounts: AccountTokens | undefined
  readonly counts: RequestCounts
}

/**
 * Answers a request to a path that is no resource.
 *
 * @throws StatusError 405 for what is not a look at it, 404 for what a served version lacks.
 */
export function operateOnPath(
  { paths, accounts, counts }: PathAnswers,
  request: IncomingMessage,
  { path, query }: PathRequest,
): Reply {
  // The list of groups is an answer to anything that is asked of it, as in Kubernetes.
  const isRead = /^(?:GET|HEAD)$/.test(request.method ?? '') || /^\/apis\/?$/.test(path)
  const found =
    path === '/metrics'
      ? counts.answer()
      : (answerOpenId(accounts, path, paths.address) ??
        answerPath(paths, path, request.headers.accept, query))
  if (found !== undefined && !isRead) throw methodNotAllowed()
  if (found === undefined && isInVersionedGroup(paths.catalog, path)) throw unknownResource()
  return found ?? replyText('404 page not found\n', 404)
}
