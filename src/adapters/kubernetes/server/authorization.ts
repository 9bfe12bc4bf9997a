import type { IncomingMessage } from 'node:http'
import { type Attributes, actionText, quoted, type Verdict } from '../identity/attributes.ts'
import type { Decision } from './api-server.ts'
import type { User } from './context.ts'
import type { RequestInfo } from './request.ts'
import { forbiddenText, StatusError } from './status.ts'

/** Says whether a user may, as a server's options do. */
export type Authorize = (user: User, attributes: Attributes) => Decision | Promise<Decision>

/** The answer of an authorizer in one form. Without one, everything is allowed. */
export async function verdictOf(
  authorize: Authorize | undefined,
  user: User,
  attributes: Attributes,
): Promise<Verdict> {
  const decision = authorize === undefined ? true : await authorize(user, attributes)
  if (decision === true) return { allowed: true, reason: '' }
  return { allowed: decision.allowed === true, reason: decision.reason }
}

/**
 * Refuses what a user may not do.
 *
 * @returns why it is allowed; often empty.
 * @throws StatusError 403 in the words of kube-apiserver.
 */
export async function requireAllowed(
  authorize: Authorize | undefined,
  user: User,
  attributes: Attributes,
): Promise<string> {
  const { allowed, reason } = await verdictOf(authorize, user, attributes)
  if (!allowed) throw notAllowed(user, attributes, reason)
  return reason
}

/** 403 for what a user may not do. */
export function notAllowed(user: User, attributes: Attributes, reason: string): StatusError {
  const { group, resource, name } = attributes
  const action = `User ${quoted(user.name)} cannot ${actionText(attributes)}`
  const safe = action.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  const message = forbiddenText(resource, group, name, reason === '' ? safe : `${safe}: ${reason}`)
  return new StatusError('Forbidden', message, { name, group, kind: resource })
}

const NONE: Attributes = {
  verb: '',
  group: '',
  version: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  path: '',
}

/** What a request asks to do. */
export function attributesOf(info: RequestInfo, request: IncomingMessage): Attributes {
  if (info.type === 'path')
    return { ...NONE, verb: (request.method ?? 'GET').toLowerCase(), path: decodedPath(info.path) }
  const { verb, group, version, plural, subresource = '', name = selectedName(info.query) } = info
  const fieldSelector = info.query.get('fieldSelector')
  // A namespace is in itself, so that its own roles say who may see it.
  const isNamespace = group === '' && plural === 'namespaces' && info.name !== undefined
  const namespace = isNamespace ? info.name : info.namespace
  return {
    ...NONE,
    verb,
    group,
    version,
    resource: plural,
    subresource,
    namespace: namespace ?? '',
    name,
    ...(fieldSelector === null ? {} : { fieldSelector }),
  }
}

/** Roles name paths as they are meant, not as they are written in a request line. */
export function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** The one object that a list or watch is narrowed to, which a role may name. */
function selectedName(query: URLSearchParams): string {
  const match = /^metadata\.name==?([^,=!/%]+)$/.exec(query.get('fieldSelector') ?? '')
  return match?.[1] ?? ''
}
