import { createHash } from 'node:crypto'
import type { JsonObject } from '../objects/types.ts'
import type { Catalog } from './catalog.ts'
import { discover } from './discovery.ts'
import { answerHealth } from './health.ts'
import { plainFormat, requireAcceptable } from './negotiate.ts'
import type { OpenApi } from './openapi.ts'
import type { OpenApiV2 } from './openapi-v2.ts'
import { type Reply, replyWith } from './respond.ts'

/** What the paths that are no resources tell about. */
export interface PathSource {
  readonly catalog: Catalog
  readonly openApi: OpenApi
  readonly openApiV2: OpenApiV2
  readonly version: JsonObject
  /** host:port of this server. */
  readonly address: string
}

/** Paths that need no user, so that probes and clients can find out whether and what this is. */
export const PUBLIC_PATHS: ReadonlySet<string> = new Set([
  '/healthz',
  '/livez',
  '/readyz',
  '/version',
])

/** The answer to a GET of a path that is no resource: health, version, discovery, OpenAPI. */
export function answerPath(
  source: PathSource,
  path: string,
  accept: string | undefined,
  query: URLSearchParams,
): Reply | undefined {
  const clean = path.length > 1 ? path.replace(/\/+$/, '') : path
  const health = answerHealth(clean, query)
  if (health !== undefined) return health
  if (clean === '/version') {
    requireAcceptable(accept, ['application/json'])
    return replyWith(source.version)
  }
  if (clean === '/openapi/v2') return source.openApiV2.answer(accept)
  if (clean === '/openapi/v3') return replyWith(source.openApi.index())
  if (clean.startsWith('/openapi/v3/')) {
    const text = source.openApi.document(clean.slice('/openapi/v3/'.length))
    if (text === undefined) return undefined
    const etag = `"${createHash('sha256').update(text).digest('hex').slice(0, 32).toUpperCase()}"`
    return { code: 200, contentType: 'application/json', text, headers: { ETag: etag } }
  }
  if (clean === '/' || clean === '') return replyWith({ paths: rootPaths(source.catalog) })
  const discovery = discover(source.catalog, clean, accept, source.address)
  if (discovery === undefined) return undefined
  if (discovery.contentType !== 'application/json')
    return { ...replyWith(discovery.body), contentType: discovery.contentType }
  return replyWith(discovery.body, 200, plainFormat(accept))
}

function rootPaths(catalog: Catalog): readonly string[] {
  const groups = new Set(
    catalog.all
      .filter(({ group }) => group !== '')
      .map(({ group, version }) => `${group}/${version}`),
  )
  const roots = [...groups].flatMap((group) => [
    `/apis/${group.split('/')[0] ?? ''}`,
    `/apis/${group}`,
  ])
  return [
    '/api',
    '/api/v1',
    '/apis',
    ...roots,
    '/healthz',
    '/livez',
    '/metrics',
    '/openapi/v2',
    '/openapi/v3',
    '/readyz',
    '/version',
  ]
}

/** The answer to `/version` for a version such as `v1.36.3`. */
export function versionInfo(gitVersion: string): JsonObject {
  const [, major = '1', minor = ''] = /^v(\d+)\.(\d+)/.exec(gitVersion) ?? []
  return {
    major,
    minor,
    gitVersion,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: 'node',
    platform: `${process.platform}/${process.arch}`,
  }
}
