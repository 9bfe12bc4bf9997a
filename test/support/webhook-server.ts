import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createAuthority, issueServerCertificate } from 'tideway/adapters/kubernetes/server'
import { type ConversionQuestion, conversionAnswer, isConversion } from './conversion-answers.ts'

type Json = Readonly<Record<string, unknown>>

/** The question that a webhook gets, as far as the ones here look at it. */
export interface Question extends Json {
  readonly uid: string
  readonly operation: string
  readonly object: Json | null
}

/** A webhook on this machine, which does what the path of its URL says. */
export interface WebhookServer {
  /** Such as `https://127.0.0.1:34567`. */
  readonly url: string
  readonly port: number
  /** What it is believed by, base64 of PEM. */
  readonly caBundle: string
  /** The paths and questions that it got, in order. */
  readonly asked: readonly { readonly path: string; readonly question: Question }[]
  /** What happens while a question waits for its answer. */
  meanwhile: ((path: string) => Promise<unknown>) | undefined
  close(): Promise<void>
}

const patchOf = (operations: readonly unknown[]): Json => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
})

/** A patch that nobody can read to its end. */
function deepPatch(): Json {
  const value = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  const text = `[{"op":"add","path":"/data","value":${value}}]`
  return { ...patchOf([]), patch: Buffer.from(text).toString('base64') }
}

/** A label with a value, whether there are labels before or not. */
function labelled({ object }: Question, key: string, value: string): Json {
  const { metadata } = object as { readonly metadata: { readonly labels?: Json } }
  return metadata.labels === undefined
    ? patchOf([{ op: 'add', path: '/metadata/labels', value: { [key]: value } }])
    : patchOf([{ op: 'add', path: `/metadata/labels/${key}`, value }])
}

/** Adds one to a number in a label: shows how often it was asked. */
function counted(question: Question): Json {
  const { metadata } = question.object as {
    readonly metadata: { readonly labels?: Readonly<Record<string, string>> }
  }
  return labelled(question, 'count', String(Number(metadata.labels?.['count'] ?? 0) + 1))
}

/** What a question says that is the same on every server, as one text. */
function portrait({ uid: _uid, userInfo: _user, ...question }: Question): string {
  return JSON.stringify(plain(question))
}

/** Sorted, without what is empty and what each server gives out by itself. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
    .filter(([key]) => !GIVEN_OUT.has(key))
    .map(([key, item]) => [key, plain(item)] as const)
    .filter(([, item]) => item !== null && item !== undefined && !isEmptyObject(item))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries)
}

const GIVEN_OUT: ReadonlySet<string> = new Set([
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'time',
  'ipFamilies',
  'ipFamilyPolicy',
  // The servers that are compared give pods no account, or one.
  'serviceAccount',
  'serviceAccountName',
])

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

/** What each path answers with: a response, or a text that is none. */
const ANSWERS: Readonly<Record<string, (question: Question) => Json | string>> = {
  '/allow': () => ({ allowed: true }),
  '/annotate': () => ({ allowed: true, auditAnnotations: { seen: 'yes' } }),
  '/deny': () => ({
    allowed: false,
    status: { message: 'not today', code: 403, reason: 'Forbidden' },
  }),
  '/deny/plainly': () => ({ allowed: false }),
  '/deny/softly': () => ({
    allowed: false,
    status: { status: 'Success', code: 200, reason: 'Odd' },
  }),
  '/echo': (question) => ({ allowed: false, status: { message: portrait(question) } }),
  '/warn': () => ({ allowed: true, warnings: ['take care', 'really'] }),
  '/warn/deny': () => ({ allowed: false, warnings: ['told you'] }),
  '/label': (question) => labelled(question, 'by', 'webhook'),
  '/count': counted,
  '/patch/nothing': () => patchOf([]),
  '/patch/same': () => patchOf([{ op: 'test', path: '/kind', value: 'ConfigMap' }]),
  '/patch/missing': () => patchOf([{ op: 'remove', path: '/data/none/such' }]),
  '/patch/kind': () => patchOf([{ op: 'replace', path: '/kind', value: 'Secret' }]),
  '/patch/type': () => patchOf([{ op: 'add', path: '/data', value: 'a text' }]),
  '/patch/name': () => patchOf([{ op: 'add', path: '/data', value: { 'a key': 'x' } }]),
  '/patch/unknown': () => patchOf([{ op: 'add', path: '/nonsense', value: 1 }]),
  '/patch/base64': () => ({ allowed: true, patchType: 'JSONPatch', patch: '!!' }),
  '/patch/untyped': () => ({ ...patchOf([]), patchType: undefined }),
  '/patch/container': () => patchOf([{ op: 'replace', path: '/container', value: 'other' }]),
  '/patch/deep': () => deepPatch(),
  '/patch/merge': () => ({ ...patchOf([]), patchType: 'MergePatch' }),
  '/uid': () => ({ allowed: true, uid: 'another' }),
  '/json': () => 'oops',
  '/list': () => '[]',
  '/empty': () => '',
  '/absent': () => '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}',
  '/kind': () => '{"apiVersion":"v1","kind":"Pod","response":{"allowed":true}}',
  '/deep': () => `${'['.repeat(200_000)}${']'.repeat(200_000)}`,
  '/huge': () => `"${'x'.repeat(9 * 1024 * 1024)}"`,
}

/** Starts one on a free port. */
export async function startWebhookServer(): Promise<WebhookServer> {
  const authority = await createAuthority('webhooks')
  const tls = await issueServerCertificate(authority, {
    names: ['localhost', 'hooks.default.svc'],
    ips: ['127.0.0.1'],
  })
  const asked: { path: string; question: Question }[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = new URL(request.url ?? '/', 'https://here').pathname
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const { request: question, apiVersion } = JSON.parse(Buffer.concat(pieces).toString()) as {
      readonly request: Question
      readonly apiVersion: string
    }
    asked.push({ path, question })
    await self.meanwhile?.(path)
    if (path === '/slow') return
    if (isConversion(path)) {
      response.setHeader('Content-Type', 'application/json')
      const asConversion = question as unknown as ConversionQuestion
      return void response.end(conversionAnswer(path, apiVersion, asConversion))
    }
    if (path === '/cut') return void response.destroy()
    if (path === '/status') return void response.writeHead(500).end('boom')
    if (path === '/status/404') return void response.writeHead(404).end()
    if (path === '/redirect') return void response.writeHead(302, { Location: '/allow' }).end()
    const found = ANSWERS[path]?.(question) ?? { allowed: true }
    if (typeof found === 'string') return void response.end(found)
    const review = {
      kind: 'AdmissionReview',
      apiVersion,
      response: { uid: question.uid, ...found },
    }
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify(review))
  }
  const server = createServer({ cert: tls.certificate, key: tls.key }, (request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => {
    server.listen({ host: '127.0.0.1', port: 0 }, resolve)
  })
  const { port } = server.address() as AddressInfo
  const self: WebhookServer = {
    url: `https://127.0.0.1:${port}`,
    port,
    caBundle: Buffer.from(authority.certificate).toString('base64'),
    asked,
    meanwhile: undefined,
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
  return self
}
