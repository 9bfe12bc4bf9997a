import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

/** One object of a kind that is created, then patched, and shown as a row of a table. */
export interface KindCase {
  readonly case: string
  readonly create: Body
  readonly patch?: readonly Body[]
}

/** Any JSON object. */
export type Body = Readonly<Record<string, unknown>>

/** What a server made of one request. */
export interface Outcome {
  readonly code: number
  readonly body: unknown
}

/** What a server made of a case. Times, uids and versions are replaced by words. */
export interface Played {
  readonly case: string
  readonly create: Outcome
  readonly patch: readonly Outcome[]
  /** Name, type, format and priority of each column; then the cells. */
  readonly columns?: readonly string[]
  readonly cells?: readonly unknown[]
}

/** Sends one request; `body` is JSON. */
export type Send = (
  method: string,
  path: string,
  options?: { readonly body?: unknown; readonly type?: string; readonly accept?: string },
) => Promise<Outcome>

/** The server that cases are sent to. Without `caPem` its certificate is not checked. */
export interface Target {
  readonly url: string
  readonly token: string
  readonly caPem?: string | undefined
}

/** Sends requests to a server over HTTPS. */
export function sendTo({ url: server, token, caPem }: Target): Send {
  const trust = caPem === undefined ? { rejectUnauthorized: false } : { ca: caPem }
  return (method, path, { body, type, accept } = {}) =>
    new Promise<Outcome>((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        accept: accept ?? 'application/json',
        'content-type': type ?? 'application/json',
      }
      const sent = request(new URL(path, server), { method, headers, ...trust }, (response) => {
        let text = ''
        response.on('data', (chunk) => {
          text += String(chunk)
        })
        response.on('end', () => resolve({ code: response.statusCode ?? 0, body: parsed(text) }))
      })
      sent.on('error', reject)
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })
}

/** An answer as JSON, or as the text that it is. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return { text }
  }
}

/** Where the cases and what a real server made of them are kept. */
export const KIND_CASES_FOLDER: string = join(
  import.meta.dirname,
  '..',
  'fixtures',
  'kubernetes-kinds',
)

/** The names of the files of cases. */
export function kindCaseFiles(): readonly string[] {
  return readdirSync(KIND_CASES_FOLDER)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.slice(0, -'.yaml'.length))
}

/** The cases of one file, in order: later ones may meet what earlier ones left. */
export function kindCases(file: string): readonly KindCase[] {
  const text = readFileSync(join(KIND_CASES_FOLDER, `${file}.yaml`), 'utf8')
  return parseAllDocuments(text).map((document) => document.toJS() as KindCase)
}

/** What a real server made of the cases of one file. */
export function recordedCases(file: string): readonly Played[] {
  const text = readFileSync(join(KIND_CASES_FOLDER, `${file}.recorded.json`), 'utf8')
  return JSON.parse(text) as readonly Played[]
}

const CLUSTER_KINDS: ReadonlySet<string> = new Set([
  'Namespace',
  'PersistentVolume',
  'Node',
  'IngressClass',
  'ClusterRole',
  'ClusterRoleBinding',
  'StorageClass',
  'CSIDriver',
  'CSINode',
  'VolumeAttachment',
  'VolumeAttributesClass',
  'PriorityClass',
  'RuntimeClass',
])

/** The path of the collection that an object belongs to. */
export function collectionPath(object: Body): string {
  const apiVersion = String(object['apiVersion'])
  const kind = String(object['kind'])
  const lower = kind.toLowerCase()
  const plural = lower.endsWith('endpoints')
    ? lower
    : lower.endsWith('s')
      ? `${lower}es`
      : lower.endsWith('y')
        ? `${lower.slice(0, -1)}ies`
        : `${lower}s`
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  return CLUSTER_KINDS.has(kind) ? `${root}/${plural}` : `${root}/namespaces/default/${plural}`
}

/** Plays a case on a server that has never seen its object. */
export async function playCase(
  send: Send,
  { case: name, create, patch }: KindCase,
): Promise<Played> {
  const collection = collectionPath(create)
  const created = await send('POST', collection, { body: create })
  const own = `${collection}/${encodeURIComponent(String((create['metadata'] as Body)['name']))}`
  const patches: Outcome[] = []
  for (const body of patch ?? []) {
    const outcome = await send('PATCH', own, { body, type: 'application/merge-patch+json' })
    patches.push(stable(outcome))
  }
  const played = { case: name, create: stable(created), patch: patches }
  if (created.code !== 201) return played
  const table = await send('GET', own, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
  const { columnDefinitions, rows } = table.body as {
    readonly columnDefinitions: readonly Body[]
    readonly rows: readonly { readonly cells: readonly unknown[] }[]
  }
  return {
    ...played,
    columns: columnDefinitions.map((column) =>
      [column['name'], column['type'], column['format'], column['priority']].join('|'),
    ),
    cells:
      rows[0]?.cells.map((cell, index) =>
        stableCell(String(columnDefinitions[index]?.['name']), cell),
      ) ?? [],
  }
}

function stableCell(column: string, cell: unknown): unknown {
  return /^(Age|Created At|Last Seen|First Seen|Duration)$/.test(column) &&
    /^[0-9dhmsy]+$/.test(String(cell))
    ? '<time>'
    : stableText(cell)
}

function stableText(value: unknown): unknown {
  if (typeof value !== 'string') return value
  return value
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uid>')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<time>')
    .replace(ALLOCATED_ADDRESS, '<address>')
    .replace(/:3\d{4}\//g, ':<port>/')
}

/** An address that a server picks; those that a case asks for begin with 10.96.0. */
const ALLOCATED_ADDRESS = /^10\.(9[6-9]|10\d|11[01])\.(?!0\.(77|99)$)\d+\.\d+$/

/** Ports that a server picks; those that a case asks for are below. */
const ALLOCATED_PORT_MIN = 30_000

const LEFT_OUT: ReadonlySet<string> = new Set(['managedFields', 'resourceVersion', 'selfLink'])
const PORTS: ReadonlySet<string> = new Set(['nodePort', 'healthCheckNodePort'])

/**
 * An answer without what differs from run to run. Fields that say nothing, such as null or empty text,
 * are left out: whether Go writes them depends on how a field is declared. Of messages only the first
 * line is kept, as what follows is a dump of Go structs. Causes are in an order of their own.
 */
export function stable({ code, body }: Outcome): Outcome {
  const walk = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) return value.map((item) => walk(item, key))
    if (PORTS.has(key) && typeof value === 'number' && value >= ALLOCATED_PORT_MIN) return '<port>'
    if (typeof value !== 'object' || value === null)
      return key === 'message' ? messageText(String(stableText(value))) : stableText(value)
    const entries = Object.entries(value)
      .filter(([name, item]) => !LEFT_OUT.has(name) && !saysNothing(name, item))
      .sort(([a], [b]) => (a < b ? -1 : 1))
    return Object.fromEntries(entries.map(([name, item]) => [name, walk(item, name)]))
  }
  const whole = walk(body, '') as Body
  if (code < 400) return { code, body: whole }
  if (whole['text'] !== undefined) return { code, body: whole }
  const { causes = [] } = (whole['details'] ?? {}) as { readonly causes?: readonly Body[] }
  const sorted = causes.map((cause) => JSON.stringify(cause)).sort()
  return { code, body: { reason: whole['reason'], causes: sorted.map((text) => JSON.parse(text)) } }
}

/** Whether a field is only there as Go writes it whatever its value. */
function saysNothing(name: string, value: unknown): boolean {
  const isEmptyList = Array.isArray(value) && value.length === 0
  const isEmptyStatus = name === 'status' && JSON.stringify(value) === '{}'
  return value === null || value === '' || isEmptyList || isEmptyStatus
}

/** A whole object in a message; one of these is more than anybody reads. */
const DUMP_CHARACTERS_MIN = 400

function messageText(text: string): string {
  const line = text.split('\n')[0] ?? ''
  return line.length < DUMP_CHARACTERS_MIN
    ? line
    : line.replace(/^Invalid value: \{.*: (?=[^:]*$)/, 'Invalid value: <object>: ')
}
