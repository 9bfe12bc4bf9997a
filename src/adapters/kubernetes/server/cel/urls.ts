import type { FunctionTable } from './functions.ts'
import { CelError, opaque, type Special, type Value } from './values.ts'

/** A URL as expressions read it. */
interface Address {
  readonly scheme: string
  /** With the port. */
  readonly host: string
  readonly hostname: string
  readonly port: string
  readonly path: string
  readonly query: readonly (readonly [string, string])[]
}

const PARTS = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?$/

/** A URL as Go reads it: absolute, or a path that begins with a slash. */
function parse(text: string): Address | undefined {
  const match = PARTS.exec(text)
  if (match === null || text === '' || /[\s\p{Cc}]/u.test(text)) return undefined
  const [, scheme = '', authority = '', path = '', query = ''] = match
  if (scheme === '' && !text.startsWith('/')) return undefined
  const place = authority.slice(authority.lastIndexOf('@') + 1)
  const [, hostname = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(place) ?? []
  if (hostname === '' && place !== '' && port === '') return undefined
  try {
    return {
      scheme: scheme.toLowerCase(),
      host: place,
      hostname: hostname.replace(/^\[|\]$/g, ''),
      port,
      path: decodeURIComponent(path),
      query: [...new URLSearchParams(query)],
    }
  } catch {
    return undefined
  }
}

function url(text: string): Special {
  const address = parse(text)
  if (address === undefined)
    throw new CelError(
      `URL parse error during conversion from string: parse "${text}": invalid URI for request`,
    )
  return opaque('url', address)
}

const read =
  (part: (address: Address) => string) =>
  (value: Special): string =>
    part(value.inner as Address)

function queryOf(value: Special): Value {
  const out = new Map<Value, Value[]>()
  for (const [key, item] of (value.inner as Address).query) {
    const known = out.get(key)
    if (known === undefined) out.set(key, [item])
    else known.push(item)
  }
  return out
}

/** Functions of URLs. */
export const URL_FUNCTIONS: FunctionTable = {
  'url(string): url': url,
  'isURL(string): bool': (text: string) => parse(text) !== undefined,
  'url.getScheme(): string': read(({ scheme }) => scheme),
  'url.getHost(): string': read(({ host }) => host),
  'url.getHostname(): string': read(({ hostname }) => hostname),
  'url.getPort(): string': read(({ port }) => port),
  'url.getEscapedPath(): string': read(({ path }) => encodeURI(path)),
  'url.getQuery(): map<string, list<string>>': queryOf,
}
