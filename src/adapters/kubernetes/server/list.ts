import { rowOf } from '../objects/rows.ts'
import type {
  Json,
  JsonObject,
  KubeObject,
  ObjectList,
  ObjectRow,
  ObjectStore,
  Resource,
} from '../objects/types.ts'
import type { RequestContext } from './context.ts'
import type { Conversion } from './convert/conversion.ts'
import { at } from './json.ts'
import { jsonSyntaxError } from './json-syntax.ts'
import { selectableFields } from './kinds/fields.ts'
import { checkListOptions } from './option-checks.ts'
import { wholeNumber } from './request.ts'
import { fieldSelector, labelSelector, type SelectableFields } from './selectors.ts'
import { badRequest, StatusError, unexpected } from './status.ts'
import { overlaid } from './store-overlay.ts'

/** One page of a list. */
export interface Page {
  readonly rows: readonly ObjectRow[]
  /** metav1.ListMeta. */
  readonly metadata: JsonObject
}

/** Decides whether a row is selected. */
export type RowSelector = (row: ObjectRow) => boolean

/**
 * What `labelSelector` and `fieldSelector` select. A row is read as far as that takes.
 *
 * @throws StatusError 400 when one of them is malformed.
 */
export function selectorOf(
  resource: Resource,
  query: URLSearchParams,
  conversion?: Conversion,
): RowSelector {
  const labels = query.get('labelSelector')
  const text = query.get('fieldSelector')
  const byLabels = labelSelector(labels)
  const fields = selectableFields(resource.id)
  const renamed = Object.entries(conversion?.fields ?? {}).map(
    ([name, kept]) => [name, fields[kept]] as const,
  )
  const byFields = fieldSelector(
    text,
    conversion?.selectable ?? ({ ...fields, ...Object.fromEntries(renamed) } as SelectableFields),
    conversion?.selectable !== undefined,
  )
  const hasLabels = labels !== null && labels.trim() !== ''
  const checksLabels: RowSelector = hasLabels ? (row) => byLabels(row.head) : () => true
  if (text === null || text.trim() === '') return checksLabels
  if (ONLY_NAMES.test(text) && conversion?.selectable === undefined)
    return (row) => byFields(namesOf(row)) && checksLabels(row)
  return (row) => {
    const { lean } = row
    return byFields(lean) && byLabels(lean)
  }
}

/** A field selector that asks for nothing but names. */
const ONLY_NAMES = /^(?:metadata\.name(?:space)?(?:=|!=)[^,\\]*(?:,|$))+$/

function namesOf({ name, namespace }: ObjectRow): KubeObject {
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) }
  return { apiVersion: '', kind: '', metadata }
}

/** The rows of a list, also of a store that has none. */
export function rowsOf(list: ObjectList): readonly ObjectRow[] {
  return list.rows ?? list.items.map(rowOf)
}

/**
 * One page of the objects of a resource.
 *
 * Every page carries the resourceVersion of the first one: later pages may show newer objects, and
 * a watch from there repeats what happened since, so a client that lists and then watches misses
 * nothing.
 *
 * @throws StatusError: 400 for malformed parameters, 410 for a `continue` of another replica, 504
 * for a resourceVersion that is not reached here.
 */
export function listPage(
  store: ObjectStore,
  resource: Resource,
  namespace: string | undefined,
  query: URLSearchParams,
  conversion?: Conversion,
): Page {
  const select = selectorOf(resource, query, conversion)
  const isAny = query.get('resourceVersion') === '0' && !query.get('resourceVersionMatch')
  const asked = wholeNumber(query, 'limit') ?? 0
  // Whoever takes any version is given all of it at once, as from the cache of Kubernetes.
  const limit = isAny ? 0 : asked
  wholeNumber(query, 'timeoutSeconds')
  checkListOptions(query, false)
  const start = readToken(query.get('continue'), store.resourceVersion)
  if (start === undefined) checkVersion(query, store.resourceVersion)
  else if ((query.get('resourceVersion') ?? '0') !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue')
  }
  const list = store.list(resource.id, namespace)
  const { resourceVersion } = list
  const rows = rowsOf(list)
  const version = start?.version ?? resourceVersion
  const page: ObjectRow[] = []
  let index = start === undefined ? 0 : firstAfter(rows, start.place)
  for (; index < rows.length && (limit <= 0 || page.length < limit); index++) {
    const row = rows[index]
    if (row !== undefined && select(row)) page.push(row)
  }
  const last = page[page.length - 1]
  const hasMore = limit > 0 && last !== undefined && isAnyFrom(rows, index, select)
  if (!hasMore) return { rows: page, metadata: { resourceVersion: String(version) } }
  const isWhole = !query.get('labelSelector') && !query.get('fieldSelector')
  return {
    rows: page,
    metadata: {
      resourceVersion: String(version),
      continue: writeToken(version, last),
      ...(isWhole ? { remainingItemCount: rows.length - index } : {}),
    },
  }
}

/**
 * One page as the version of a request shows it, where a webhook converts objects: it is asked about the page,
 * or about all objects where what they are converted to decides which are selected.
 *
 * @throws StatusError like {@link listPage}, and 500 when the webhook does not answer as it should.
 */
export async function convertedPage(
  context: Pick<
    RequestContext,
    'store' | 'resource' | 'namespace' | 'query' | 'served' | 'converted'
  >,
): Promise<Page> {
  const { store, resource, namespace, query, converted } = context
  const { conversion } = context.served
  if (converted === undefined) return listPage(store, resource, namespace, query, conversion)
  if (!isSelective(query)) {
    const page = listPage(store, resource, namespace, query, conversion)
    return { ...page, rows: await converted.rows(page.rows) }
  }
  const list = await convertedList(context)
  return listPage(overlaid(store, { list: () => list }), resource, namespace, query, conversion)
}

/** The objects of a request, all of them, as its version shows them. */
export async function convertedList({
  store,
  resource,
  namespace,
  converted,
}: Pick<RequestContext, 'store' | 'resource' | 'namespace' | 'converted'>): Promise<ObjectList> {
  const list = store.list(resource.id, namespace)
  return converted === undefined ? list : { ...list, rows: await converted.rows(rowsOf(list)) }
}

/** Whether what is in objects decides which of them are meant. */
export function isSelective(query: URLSearchParams): boolean {
  return [query.get('labelSelector'), query.get('fieldSelector')].some(
    (text) => (text ?? '').trim() !== '',
  )
}

function isAnyFrom(rows: readonly ObjectRow[], start: number, select: RowSelector): boolean {
  for (let index = start; index < rows.length; index++) {
    const row = rows[index]
    if (row !== undefined && select(row)) return true
  }
  return false
}

/** The first index whose object is after this one, in the order of a store. */
function firstAfter(rows: readonly ObjectRow[], start: string): number {
  let [low, high] = [0, rows.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const row = rows[middle]
    if (row !== undefined && placeOf(row) <= start) low = middle + 1
    else high = middle
  }
  return low
}

function placeOf({ namespace, name }: ObjectRow): string {
  return `${namespace ?? ''}/${name}`
}

interface Token {
  readonly version: number
  /** `namespace/name` of the last object of the page before. */
  readonly place: string
}

function writeToken(version: number, last: ObjectRow): string {
  const token = { v: 'meta.k8s.io/v1', rv: version, start: placeOf(last) }
  return Buffer.from(JSON.stringify(token)).toString('base64url')
}

function readToken(text: string | null, current: number): Token | undefined {
  if (text === null || text === '') return undefined
  const parsed = parseToken(text)
  const version = at(parsed, 'rv')
  const start = at(parsed, 'start')
  if (at(parsed, 'v') !== 'meta.k8s.io/v1')
    throw invalidToken('server does not recognize this encoded version ')
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version <= 0)
    throw invalidToken(
      'incorrect encoded start resourceVersion (version meta.k8s.io/v1, resource version 0)',
    )
  if (typeof start !== 'string' || start === '')
    throw invalidToken('encoded start key empty (version meta.k8s.io/v1)')
  if (start.split('/').some((step) => step === '.' || step === '..')) throw invalidToken(start)
  if (version > current) {
    throw new StatusError(
      'Expired',
      'The provided continue parameter is from another replica: start the list anew without it',
    )
  }
  return { version, place: start }
}

function parseToken(text: string): Json | undefined {
  const bytes = Buffer.from(text, 'base64url')
  try {
    return JSON.parse(bytes.toString('utf8')) as Json
  } catch {
    throw invalidToken(jsonSyntaxError(bytes.toString('latin1')) ?? 'it is not UTF-8')
  }
}

function invalidToken(why: string): StatusError {
  return badRequest(`invalid continue token: continue key is not valid: ${why}`)
}

/**
 * A resourceVersion parameter: undefined when it is absent or empty.
 *
 * @throws StatusError 400, for a watch 500, when it is not a decimal number.
 */
export function versionParameter(query: URLSearchParams, isWatch = false): number | undefined {
  const text = query.get('resourceVersion')
  if (text === null || text === '') return undefined
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(Number(text))) {
    const shown = JSON.stringify(text.slice(0, 64))
    const why = `resourceVersion: Invalid value: ${shown}: strconv.ParseUint: parsing ${shown}: invalid syntax`
    throw isWatch ? unexpected(why) : badRequest(`invalid resource version: ${why}`)
  }
  return Number(text)
}

/** 504 for a version that this replica has not reached. */
export function tooLargeVersion(asked: number, current: number): StatusError {
  return new StatusError(
    'Timeout',
    `Timeout: Too large resource version: ${asked}, current: ${current}`,
    {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  )
}

function checkVersion(query: URLSearchParams, current: number): void {
  const match = query.get('resourceVersionMatch') ?? ''
  const version = versionParameter(query)
  if (version !== undefined && version > current) throw tooLargeVersion(version, current)
  if (match === 'Exact' && version !== current) {
    throw new StatusError(
      'Expired',
      `The resourceVersion for the provided list is too old: ${version}, current: ${current}`,
    )
  }
}
