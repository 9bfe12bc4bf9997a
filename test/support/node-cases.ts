import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Target } from './kind-cases.ts'

/** One request of the node `node-1`, or what is made for it before. */
export interface NodeCase {
  readonly root?: boolean
  readonly get?: string
  readonly post?: string
  readonly patch?: string
  readonly delete?: string
  readonly body?: Readonly<Record<string, unknown>>
  /** The pod whose uid goes into the reference of a token. */
  readonly uid?: string
}

/** What came of it: of a refusal its message. */
export interface NodeOutcome {
  readonly request: string
  readonly code: number
  readonly message?: string
}

const FOLDER = join(import.meta.dirname, '..', 'fixtures', 'kubernetes-admission')
/** What the real server made of the cases. */
export const RECORDED_NODES: string = join(FOLDER, 'nodes.recorded.json')
/** Who asks. */
const NODE = { 'Impersonate-User': 'system:node:node-1', 'Impersonate-Group': 'system:nodes' }

/** The cases, in order. */
export function nodeCases(): readonly NodeCase[] {
  const text = readFileSync(join(FOLDER, 'nodes.yaml'), 'utf8')
  return parseAllDocuments(text).map((document) => document.toJS() as NodeCase)
}

/** What the real server made of them. */
export function recordedNodes(): readonly NodeOutcome[] {
  return JSON.parse(readFileSync(RECORDED_NODES, 'utf8')) as readonly NodeOutcome[]
}

/** The method, path and body of a case, in one line. */
export function textOfCase(item: NodeCase): string {
  const [method, path] = requestOf(item)
  return `${item.root === true ? 'root ' : ''}${method} ${path} ${JSON.stringify(item.body ?? '')}`
}

function requestOf(item: NodeCase): readonly [string, string] {
  if (item.post !== undefined) return ['POST', item.post]
  if (item.patch !== undefined) return ['PATCH', item.patch]
  if (item.delete !== undefined) return ['DELETE', item.delete]
  return ['GET', item.get ?? '/']
}

/** Sends the request of a case as the node, or as who may everything. */
export async function playNodeCase(target: Target, item: NodeCase): Promise<NodeOutcome> {
  const [method, path] = requestOf(item)
  const headers = item.root === true ? {} : NODE
  const text = JSON.stringify(item.body ?? '')
  const body = item.uid === undefined ? text : await withUid(target, item.uid, text)
  const { code, answer } = await send(target, method, path, headers, body)
  const outcome = { request: textOfCase(item), code }
  return code < 400 ? outcome : { ...outcome, message: String(answer['message']) }
}

async function withUid(target: Target, pod: string, body: string): Promise<string> {
  const path = `/api/v1/namespaces/default/pods/${pod}`
  const { answer } = await send(target, 'GET', path, {}, '')
  const { uid } = answer['metadata'] as { readonly uid: string }
  return body.replace('"uid":""', `"uid":"${uid}"`)
}

function send(
  { url, token, caPem }: Target,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<{ readonly code: number; readonly answer: Readonly<Record<string, unknown>> }> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  const all = { authorization: `Bearer ${token}`, 'content-type': type, ...headers }
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), { method, headers: all, ca: caPem }, (response) => {
      let text = ''
      response.on('data', (piece: Buffer) => {
        text += piece.toString()
      })
      response.on('end', () => {
        const answer = JSON.parse(text) as Record<string, unknown>
        resolve({ code: response.statusCode ?? 0, answer })
      })
    })
    sent.on('error', reject)
    sent.end(method === 'GET' || method === 'DELETE' ? undefined : body)
  })
}
