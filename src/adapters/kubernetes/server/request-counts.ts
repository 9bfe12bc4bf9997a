import type { ServerResponse } from 'node:http'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Catalog, Served } from './catalog.ts'
import type { RequestInfo } from './request.ts'
import type { Reply } from './respond.ts'

/** How many kinds of requests are counted apart. What comes later is counted as one. */
const SERIES_MAX = 2_000

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** What Kubernetes counts as reading; everything else changes something. */
const READING: ReadonlySet<string> = new Set(['get', 'list', 'watch'])

interface Series {
  count: number
  seconds: number
}

/** Counts what an API server is asked. */
export interface RequestCounts {
  /** Counts a request from here until its answer is complete. */
  begin(info: RequestInfo, method: string, response: ServerResponse): void
  /** What was counted, as Prometheus reads it. */
  answer(): Reply
}

/**
 * Counts requests by what they ask and by what they are answered, under the names that kube-apiserver
 * gives. Memory is bounded, whatever clients ask for.
 *
 * @param catalog what is served: what is not there has no name of its own.
 */
export function createRequestCounts(clock: Clock, catalog: Pick<Catalog, 'find'>): RequestCounts {
  const series = new Map<string, Series>()
  const inFlight = { mutating: 0, readOnly: 0 }
  const seriesOf = (labels: string): Series => {
    const known = series.get(labels)
    if (known !== undefined) return known
    if (series.size >= SERIES_MAX && labels !== OTHERS) return seriesOf(OTHERS)
    const made = { count: 0, seconds: 0 }
    series.set(labels, made)
    return made
  }
  const servedOf = (info: RequestInfo): Served | undefined =>
    info.type === 'path' ? undefined : catalog.find(info.group, info.version, info.plural)
  return {
    begin: (info, method, response) => {
      const verb = verbOf(info, method)
      const kind = READING.has(verb.toLowerCase()) ? 'readOnly' : 'mutating'
      const asked = askedOf(info, servedOf(info))
      const begunMs = clock.monotonicMs()
      inFlight[kind] += 1
      response.once('close', () => {
        inFlight[kind] -= 1
        const counted = seriesOf(labelsOf(asked, verb, response.statusCode))
        counted.count += 1
        counted.seconds += (clock.monotonicMs() - begunMs) / 1_000
      })
    },
    answer: () => ({ code: 200, contentType: CONTENT_TYPE, text: textOf(series, inFlight) }),
  }
}

const OTHERS = 'code="",group="",resource="",scope="",subresource="",verb="other",version=""'

/** As Kubernetes writes verbs here; a method that is none of those of HTTP is counted as other. */
function verbOf(info: RequestInfo, method: string): string {
  const { verb } = info.type === 'resource' ? info : { verb: '' }
  const said = verb === '' ? method : verb
  switch (said) {
    case 'create':
      return 'POST'
    case 'update':
      return 'PUT'
    case 'deletecollection':
      return 'DELETECOLLECTION'
    default:
      return /^(?:get|list|watch|patch|delete|head|post|put|options|connect|trace)$/i.test(said)
        ? said.toUpperCase()
        : 'other'
  }
}

/** What a request asks for, as far as it is served: clients cannot make names up. */
interface Asked {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly scope: string
  readonly subresource: string
}

const NOTHING: Asked = { group: '', version: '', plural: '', scope: '', subresource: '' }

function askedOf(info: RequestInfo, served: Served | undefined): Asked {
  if (info.type === 'path' || served === undefined) return NOTHING
  const { name, namespace, subresource = '' } = info
  const scope = namespace === undefined ? 'cluster' : 'namespace'
  const isPart = subresource === '' || served.subresources.some((part) => part.name === subresource)
  const { group, version, plural } = served
  return {
    group,
    version,
    plural,
    scope: name === undefined ? scope : 'resource',
    subresource: isPart ? subresource : 'other',
  }
}

function labelsOf(asked: Asked, verb: string, code: number): string {
  const { group, version, plural, scope, subresource } = asked
  const what = `group="${group}",resource="${plural}",scope="${scope}",subresource="${subresource}"`
  return `code="${code}",${what},verb="${verb}",version="${version}"`
}

function textOf(
  series: ReadonlyMap<string, Series>,
  inFlight: { readonly mutating: number; readonly readOnly: number },
): string {
  const all = [...series]
  const { rss } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  return [
    ...measure('apiserver_request_total', 'counter', 'Requests by what they were answered.'),
    ...all.map(([labels, { count }]) => `apiserver_request_total{${labels}} ${count}`),
    ...measure(
      'apiserver_request_duration_seconds',
      'summary',
      'From the head of a request to the end of its answer; a watch lasts as long as it is open.',
    ),
    ...all.flatMap(([labels, { count, seconds }]) => [
      `apiserver_request_duration_seconds_sum{${labels}} ${seconds}`,
      `apiserver_request_duration_seconds_count{${labels}} ${count}`,
    ]),
    ...measure(
      'apiserver_current_inflight_requests',
      'gauge',
      'Requests that are being answered, watches too.',
    ),
    ...Object.entries(inFlight).map(
      ([kind, count]) => `apiserver_current_inflight_requests{request_kind="${kind}"} ${count}`,
    ),
    ...measure('process_resident_memory_bytes', 'gauge', 'Resident memory.'),
    `process_resident_memory_bytes ${rss}`,
    ...measure('process_cpu_seconds_total', 'counter', 'Time on processors.'),
    `process_cpu_seconds_total ${(user + system) / 1_000_000}`,
    '',
  ].join('\n')
}

function measure(name: string, type: string, help: string): readonly string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
}
