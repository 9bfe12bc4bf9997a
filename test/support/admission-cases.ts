import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseAllDocuments } from 'yaml'
import type { Send } from './kind-cases.ts'

/** One request whose answer is compared with that of a real kube-apiserver. */
export interface AdmissionCase {
  readonly case: string
  /** What the answers to GETs have to show before: values by their path in the object. */
  readonly await?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly post?: string
  readonly patch?: string
  readonly get?: string
  readonly body?: unknown
  /** The parts of the answer that count. */
  readonly show?: readonly string[]
}

/** What came of it. Names that are made up are replaced by words. */
export interface AdmissionOutcome {
  readonly case: string
  readonly code: number
  readonly reason?: unknown
  readonly message?: unknown
  readonly shown?: Readonly<Record<string, unknown>>
}

const FOLDER = join(import.meta.dirname, '..', 'fixtures', 'kubernetes-admission')
/** What the real server made of the cases. */
export const RECORDED_ADMISSION: string = join(FOLDER, 'recorded.json')

const LOOK_MS = 100
const WAIT_MS = 60_000

/** The cases, in order: later ones meet what earlier ones left. */
export function admissionCases(): readonly AdmissionCase[] {
  const text = readFileSync(join(FOLDER, 'cases.yaml'), 'utf8')
  return parseAllDocuments(text).map((document) => document.toJS() as AdmissionCase)
}

/** What the real server made of them. */
export function recordedAdmission(): readonly AdmissionOutcome[] {
  return JSON.parse(readFileSync(RECORDED_ADMISSION, 'utf8')) as readonly AdmissionOutcome[]
}

/** Sends the request of one case. */
export async function playAdmission(send: Send, item: AdmissionCase): Promise<AdmissionOutcome> {
  for (const [path, values] of Object.entries(item.await ?? {})) await shown(send, path, values)
  const { code, body } = await sent(send, item)
  if (code >= 400) {
    const { reason, message } = body as { readonly reason: unknown; readonly message: unknown }
    return { case: item.case, code, reason, message: stable(message) }
  }
  const parts = (item.show ?? []).map((path) => [path, stable(at(body, path))] as const)
  return { case: item.case, code, shown: Object.fromEntries(parts) }
}

function sent(send: Send, { post, patch, get, body }: AdmissionCase): ReturnType<Send> {
  if (post !== undefined) return send('POST', post, { body })
  if (patch !== undefined)
    return send('PATCH', patch, { body, type: 'application/merge-patch+json' })
  return send('GET', get ?? '/')
}

async function shown(
  send: Send,
  path: string,
  values: Readonly<Record<string, unknown>>,
): Promise<void> {
  const deadline = performance.now() + WAIT_MS
  let last: unknown
  while (performance.now() < deadline) {
    const { code, body } = await send('GET', path)
    last = body
    const holds = Object.entries(values).every(([name, value]) => at(body, name) === value)
    if (code === 200 && holds) return
    await sleep(LOOK_MS)
  }
  throw new Error(`not in time: ${path} ${JSON.stringify(values)}: ${JSON.stringify(last)}`)
}

/** The value at a path of names; `\.` is a dot in a name. */
function at(value: unknown, path: string): unknown {
  let current = value
  for (const name of path.split(/(?<!\\)\./).map((part) => part.replaceAll('\\.', '.')))
    current = (current as Readonly<Record<string, unknown>> | undefined)?.[name]
  return current ?? null
}

/** Made-up names as words, and fields in one order. */
function stable(value: unknown): unknown {
  if (typeof value === 'string')
    return value.replace(/kube-api-access-[a-z0-9]{5}\b/g, 'kube-api-access-?')
  if (Array.isArray(value)) return value.map(stable)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, item]) => [name, stable(item)]))
}
