import type { Json, JsonObject, KubeObject } from '../../kubernetes/objects/types.ts'
import type { RegistryLogin } from '../../runtime/index.ts'
import { asObject, asText, asTextMap } from '../json.ts'

/** The key of Docker Hub in the files of its own client. */
const HUB_KEY = 'index.docker.io'
const HUB_NAMES: readonly string[] = ['docker.io', HUB_KEY]

/**
 * The logins in `secrets` that are meant for a repository, the most specific place first.
 *
 * The place of a login is a host, where `*` and `?` stand for parts of its labels, and may go on with
 * the beginning of a path. Secrets of other types, and what is malformed in them, count for nothing.
 *
 * @param repository registry and path, as in `registry.example/team/app`.
 */
export function loginsFor(
  repository: string,
  secrets: readonly KubeObject[],
): readonly RegistryLogin[] {
  const entries = secrets.flatMap((secret) => [...entriesOf(secret)])
  const places = [...new Set(entries.map(({ place }) => place))].sort().reverse()
  const at = (place: string): readonly RegistryLogin[] =>
    entries.filter((entry) => entry.place === place).map(({ login }) => login)
  const found = places.filter((place) => matches(place, repository)).flatMap(at)
  if (found.length > 0) return found
  return HUB_NAMES.includes(repository.split('/')[0] ?? '') ? at(HUB_KEY) : []
}

interface Entry {
  readonly place: string
  readonly login: RegistryLogin
}

function* entriesOf(secret: KubeObject): Iterable<Entry> {
  for (const [location, value] of Object.entries(placesOf(secret))) {
    const place = placeOf(location)
    const login = loginOf(asObject(value))
    if (place !== undefined && login !== undefined) yield { place, login }
  }
}

/** The logins of a secret by their place, as Docker's client writes them, today and formerly. */
function placesOf(secret: KubeObject): JsonObject {
  const data = asTextMap(secret['data'])
  switch (secret['type']) {
    case 'kubernetes.io/dockerconfigjson':
      return asObject(parsed(data['.dockerconfigjson'])['auths'])
    case 'kubernetes.io/dockercfg':
      return parsed(data['.dockercfg'])
    default:
      return {}
  }
}

function parsed(base64: string | undefined): JsonObject {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64 ?? '', 'base64').toString('utf8'))
    // Whatever JSON.parse gives is JSON.
    return asObject(value as Json)
  } catch {
    return {}
  }
}

/** `auth` wins where both it and the names are there. */
function loginOf(entry: JsonObject): RegistryLogin | undefined {
  const auth = asText(entry['auth'])
  if (auth === undefined || auth === '') {
    return { username: asText(entry['username']) ?? '', password: asText(entry['password']) ?? '' }
  }
  const text = Buffer.from(auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon === -1) return undefined
  return { username: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** Host and path of a location, without what stands for the version of the registry's interface. */
function placeOf(location: string): string | undefined {
  const text = location.replace(/^https?:\/\//, '')
  const slash = text.indexOf('/')
  const host = slash === -1 ? text : text.slice(0, slash)
  if (host === '') return undefined
  const path = (slash === -1 ? '' : text.slice(slash)).replace(/^\/v[12]\//, '/')
  return path === '/' ? host : `${host}${path}`
}

function matches(place: string, repository: string): boolean {
  const a = split(place)
  const b = split(repository)
  return (
    a.port === b.port &&
    b.path.startsWith(a.path) &&
    a.labels.length === b.labels.length &&
    a.labels.every((label, index) => fits(label, b.labels[index] ?? ''))
  )
}

function split(text: string): {
  readonly labels: readonly string[]
  readonly port: string
  readonly path: string
} {
  const [, host = '', port = '', path = ''] = /^(.*?)(?::(\d+))?(\/.*)?$/.exec(text) ?? []
  return { labels: host.split('.'), port, path }
}

function fits(pattern: string, label: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  const expression = escaped.replaceAll('*', '.*').replaceAll('?', '.')
  return new RegExp(`^${expression}$`).test(label)
}
