import { badRequest, StatusError } from './status.ts'

/** What a request asks of a resource, in the words of Kubernetes. */
export type Verb =
  | 'get'
  | 'list'
  | 'watch'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'deletecollection'
  /** A method that Kubernetes has no word for, to a proxy. */
  | ''

/** A path below `/api/v1` or `/apis/GROUP/VERSION`, taken apart. */
export interface ResourceRequest {
  readonly type: 'resource'
  readonly verb: Verb
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly subresource: string | undefined
  readonly query: URLSearchParams
}

/** Any other path: discovery, OpenAPI, health, version. */
export interface PathRequest {
  readonly type: 'path'
  readonly path: string
  readonly query: URLSearchParams
}

/** What a request line says. Whether the resource exists is another question. */
export type RequestInfo = ResourceRequest | PathRequest

/** The longest request target that is looked at, in characters. */
export const TARGET_CHARACTERS_MAX: number = 16 * 1024

const NAMESPACE_SUBRESOURCES: ReadonlySet<string> = new Set(['status', 'finalize'])

/**
 * Takes a request line apart.
 *
 * @throws StatusError: 400 for a target that is too long or not valid percent-encoding, 405 for a
 * method that no resource knows.
 */
export function parseRequest(method: string, target: string): RequestInfo {
  if (target.length > TARGET_CHARACTERS_MAX) throw badRequest('the request target is too long')
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  const query = queryOf(mark < 0 ? '' : target.slice(mark + 1))
  const segments = decodeSegment(path)
    .replace(/^\/+|\/+$/g, '')
    .split('/')
  const isCore = segments[0] === 'api'
  const depth = isCore ? 2 : 3
  if ((!isCore && segments[0] !== 'apis') || segments.length <= depth)
    return { type: 'path', path, query }
  const group = isCore ? '' : (segments[1] ?? '')
  const version = segments[depth - 1] ?? ''
  return (
    resourceRequest(method, group, version, segments.slice(depth), query) ?? {
      type: 'path',
      path,
      query,
    }
  )
}

/** The parameters of a query string. As in Go, one with a semicolon in it is none. */
function queryOf(text: string): URLSearchParams {
  return new URLSearchParams(
    text
      .split('&')
      .filter((pair) => !pair.includes(';'))
      .join('&'),
  )
}

function resourceRequest(
  method: string,
  group: string,
  version: string,
  segments: readonly string[],
  query: URLSearchParams,
): ResourceRequest | undefined {
  // An old way to write a watch, which old clients still send.
  if (segments[0] === 'watch' && method === 'GET' && segments.length > 1)
    return oldWatch(group, version, segments.slice(1), query)
  let namespace: string | undefined
  let rest = segments
  const [first, second, third] = segments
  const isInside =
    first === 'namespaces' && third !== undefined && !NAMESPACE_SUBRESOURCES.has(third)
  if (isInside) {
    // A namespace without a name is every one.
    namespace = second === '' ? undefined : second
    rest = segments.slice(2)
  }
  const [plural, name, subresource, more] = rest
  if (plural === undefined || plural === '') return undefined
  // What follows a proxy is a path of whatever is behind it.
  const isProxy = subresource === 'proxy'
  if (more !== undefined && !isProxy) return undefined
  const verb = verbOf(method, name !== undefined, query) ?? (isProxy ? '' : undefined)
  if (verb === undefined) {
    const why = 'the server does not allow this method on the requested resource'
    throw new StatusError('MethodNotAllowed', why, {})
  }
  if (subresource === undefined) checkName(name)
  return { type: 'resource', verb, group, version, plural, namespace, name, subresource, query }
}

function oldWatch(
  group: string,
  version: string,
  segments: readonly string[],
  query: URLSearchParams,
): ResourceRequest | undefined {
  const found = resourceRequest('GET', group, version, segments, query)
  if (found === undefined || found.subresource !== undefined) return undefined
  const asked = new URLSearchParams(query)
  asked.set('watch', 'true')
  if (found.name !== undefined) asked.set('fieldSelector', `metadata.name=${found.name}`)
  return { ...found, verb: 'watch', name: undefined, query: asked }
}

/** Names that would leave their place in a path. */
function checkName(name: string | undefined): void {
  if (name === '.' || name === '..')
    throw badRequest(`Name parameter invalid: "${name}": may not be '${name}'`)
  if (name?.includes('%') === true)
    throw badRequest(`Name parameter invalid: "${name}": may not contain '%'`)
}

function verbOf(method: string, isNamed: boolean, query: URLSearchParams): Verb | undefined {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (isNamed) return 'get'
      return isTrue(query.get('watch')) ? 'watch' : 'list'
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return isNamed ? 'delete' : 'deletecollection'
    default:
      return undefined
  }
}

/** A boolean of a query string, as Go reads it: `?watch`, `?watch=1` and `?watch=true` are true. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== 'false' && value !== '0' && value !== 'False' && value !== 'f'
}

/**
 * A whole number of a query string.
 *
 * @throws StatusError 400 when it is not one.
 */
export function wholeNumber(query: URLSearchParams, key: string): number | undefined {
  const text = query.get(key)
  if (text === null) return undefined
  const value = Number(text)
  if (!/^-?\d{1,16}$/.test(text) || !Number.isSafeInteger(value)) {
    const isNumber = /^[-+]?\d+$/.test(text)
    const why = isNumber ? 'value out of range' : 'invalid syntax'
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text.slice(0, 64))}: ${why}`)
  }
  return value
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw badRequest('the path of the request is not valid percent-encoding')
  }
}
