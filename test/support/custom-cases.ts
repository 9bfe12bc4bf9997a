import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { type Body, type Outcome, type Send, stable } from './kind-cases.ts'

/** One request of a case. */
interface Request {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly type?: string
  readonly accept?: string
}

/** A definition that is created, or requests that are sent. */
export interface CustomCase {
  readonly case: string
  readonly define?: Body
  readonly send?: readonly Request[]
}

/** What a server made of a case. Times, uids and versions are replaced by words. */
export interface PlayedCustom {
  readonly case: string
  readonly outcomes: readonly Outcome[]
}

/** Where the cases and what a real server made of them are kept. */
export const CUSTOM_CASES_FOLDER: string = join(
  import.meta.dirname,
  '..',
  'fixtures',
  'kubernetes-custom',
)

/** The names of the files of cases. */
export function customCaseFiles(): readonly string[] {
  return readdirSync(CUSTOM_CASES_FOLDER)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.slice(0, -'.yaml'.length))
}

/** The cases of one file, in order: later ones meet what earlier ones left. */
export function customCases(file: string): readonly CustomCase[] {
  const text = readFileSync(join(CUSTOM_CASES_FOLDER, `${file}.yaml`), 'utf8')
  return parseAllDocuments(text).map((document) => document.toJS() as CustomCase)
}

/** What a real server made of the cases of one file. */
export function recordedCustom(file: string): readonly PlayedCustom[] {
  const text = readFileSync(join(CUSTOM_CASES_FOLDER, `${file}.recorded.json`), 'utf8')
  return JSON.parse(text) as readonly PlayedCustom[]
}

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

/** How long a server gets to look at a definition, in milliseconds. */
const DEFINED_MS = 30_000

/** Plays a case; a definition is looked at again when its names were decided about. */
export async function playCustom(
  send: Send,
  { case: name, define, send: requests }: CustomCase,
): Promise<PlayedCustom> {
  const outcomes: Outcome[] = []
  if (define !== undefined) {
    const created = await send('POST', DEFINITIONS, { body: define })
    outcomes.push(stableOutcome(created))
    const path = `${DEFINITIONS}/${String((define['metadata'] as Body)['name'])}`
    if (created.code === 201) outcomes.push(stableOutcome(await decided(send, path)))
  }
  for (const { method, path, ...options } of requests ?? [])
    outcomes.push(stableOutcome(await send(method, path, options)))
  return { case: name, outcomes }
}

async function decided(send: Send, path: string): Promise<Outcome> {
  const end = Date.now() + DEFINED_MS
  while (true) {
    const found = await send('GET', path)
    const { conditions } = ((found.body as Body)['status'] ?? {}) as {
      conditions?: readonly Body[]
    }
    const names = conditions?.find((item) => item['type'] === 'NamesAccepted')
    const established = conditions?.find((item) => item['type'] === 'Established')
    const isDone = names?.['status'] === 'False' || established?.['status'] === 'True'
    if (isDone && (await isServed(send, found.body as Body))) return found
    if (Date.now() > end) throw new Error(`${path} was not decided about`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Whether the kind of a definition that was accepted can be reached. */
async function isServed(send: Send, definition: Body): Promise<boolean> {
  const { group, names, versions } = definition['spec'] as {
    readonly group: string
    readonly names: Body
    readonly versions: readonly Body[]
  }
  const { acceptedNames } = definition['status'] as { readonly acceptedNames: Body }
  if (acceptedNames['kind'] !== names['kind']) return true
  for (const version of versions) {
    const found = await send('GET', `/apis/${group}/${String(version['name'])}`)
    if (found.code !== 200) return false
  }
  return true
}

/** Conditions and resources are in an order of their own, and hashes of a server's. */
function stableOutcome(outcome: Outcome): Outcome {
  const walk = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) {
      const items = value.map((item) => walk(item, ''))
      const isSorted = key === 'conditions' || key === 'resources' || key === 'verbs'
      return isSorted
        ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
        : items
    }
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value).filter(([name]) => name !== 'storageVersionHash')
    return Object.fromEntries(entries.map(([name, item]) => [name, walk(item, name)]))
  }
  return walk(withoutText(stable(outcome)), '') as Outcome
}

/** A table without what columns are described as, and without ages; a patch without its whole object. */
function withoutText({ code, body }: Outcome): Outcome {
  const { kind, columnDefinitions, rows, causes } = body as {
    readonly kind?: string
    readonly columnDefinitions?: readonly Body[]
    readonly rows?: readonly Body[]
    readonly causes?: readonly Body[]
  }
  if (causes !== undefined) {
    const short = causes.map((cause) =>
      cause['field'] === 'patch'
        ? { ...cause, message: String(cause['message']).replace(/^.*(?=strict decoding)/s, '') }
        : cause,
    )
    return { code, body: { ...(body as Body), causes: short } }
  }
  if (kind !== 'Table') return { code, body }
  const columns = columnDefinitions?.map(({ description: _description, ...column }) => column)
  const aged = rows?.map((row) => ({
    ...row,
    cells: (row['cells'] as readonly unknown[]).map((cell) =>
      /^\d+[smhd]$/.test(String(cell)) ? '<age>' : cell,
    ),
  }))
  return { code, body: { ...(body as Body), columnDefinitions: columns, rows: aged } }
}
