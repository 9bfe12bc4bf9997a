import { createHash, timingSafeEqual } from 'node:crypto'
import type { Clock } from 'tideway'
import type { KubeObject, ObjectKey, ObjectStore } from 'tideway/adapters/kubernetes/objects'
import { EXIT, type ProgramCode, ProgramError } from '../shared/program-error.ts'

const NAMESPACE = 'kube-system'
const PREFIX = 'bootstrap-token-'
/** The type that Kubernetes gives to secrets that let nodes in. */
export const TOKEN_TYPE = 'bootstrap.kubernetes.io/token'
/** Wrong secrets for one token before it is of no use any more. */
const ATTEMPTS_MAX = 5
/** What was used or has expired stays this long, so that a second try is told why it fails. */
const KEEP_MS = 7 * 86_400_000

/** What is stored of a token. Its secret is not. */
export interface TokenRecord {
  readonly id: string
  readonly node: string
  /** SHA-256 of the secret, hex. */
  readonly hash: string
  /** RFC 3339. */
  readonly expiration: string
  readonly usedAt: string | undefined
  readonly attempts: number
}

/** The SHA-256 of a token's secret, hex. */
export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** A token as the secret that stands for it in the API. */
export function tokenObject(record: TokenRecord): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `${PREFIX}${record.id}`, namespace: NAMESPACE },
    type: TOKEN_TYPE,
    data: tokenFields(record),
  }
}

function tokenFields(record: TokenRecord): Record<string, string> {
  const fields = {
    'token-id': record.id,
    'token-hash': record.hash,
    node: record.node,
    expiration: record.expiration,
    attempts: String(record.attempts),
    ...(record.usedAt === undefined ? {} : { 'used-at': record.usedAt }),
  }
  return Object.fromEntries(
    Object.entries(fields).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  )
}

/** Reads a token from its secret; undefined when the secret is none. */
export function tokenRecord(object: KubeObject): TokenRecord | undefined {
  const fields = (object['data'] ?? {}) as Record<string, unknown>
  const text = (key: string): string | undefined => {
    const value = fields[key]
    return typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : undefined
  }
  const [id, node, hash, expiration] = [
    text('token-id'),
    text('node'),
    text('token-hash'),
    text('expiration'),
  ]
  if (object['type'] !== TOKEN_TYPE || id === undefined || node === undefined) return undefined
  if (hash === undefined || expiration === undefined) return undefined
  return {
    id,
    node,
    hash,
    expiration,
    usedAt: text('used-at'),
    attempts: Number(text('attempts') ?? 0),
  }
}

/** The tokens that let nodes into the fleet, as secrets in the store. */
export class JoinTokens {
  readonly #store: ObjectStore
  readonly #clock: Clock
  /** Tokens are looked at and used up one after the other, so that no two requests use the same one. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(store: ObjectStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /**
   * Uses a token up. When this resolves, it is written down that it cannot be used again.
   *
   * @throws ProgramError with the code that says what is wrong with it.
   */
  consume(id: string, secret: string, node: string): Promise<void> {
    const result = this.#turn.then(() => this.#consume(id, secret, node))
    this.#turn = result.catch(() => undefined)
    return result
  }

  /** Removes what was used or expired long ago. */
  async sweep(): Promise<void> {
    for (const object of this.#store.list('secrets', NAMESPACE).items) {
      const record = tokenRecord(object)
      if (record === undefined) continue
      const endMs = Date.parse(record.usedAt ?? record.expiration)
      if (this.#clock.wallMs() > endMs + KEEP_MS) await this.#store.delete(keyOf(record.id))
    }
  }

  async #consume(id: string, secret: string, node: string): Promise<void> {
    const object = this.#store.get(keyOf(id))
    const record = object === undefined ? undefined : tokenRecord(object)
    if (record === undefined)
      throw refusal(
        'JOIN_TOKEN_UNKNOWN',
        'the cloud does not know this token: it was deleted, or made by another fleet',
      )
    if (record.attempts >= ATTEMPTS_MAX)
      throw refusal('JOIN_TOKEN_LOCKED', 'the token was tried with a wrong secret too often')
    if (!sameHash(record.hash, hashOfSecret(secret))) {
      await this.#write(id, { ...record, attempts: record.attempts + 1 })
      throw refusal('JOIN_TOKEN_WRONG', 'the secret of the token is wrong')
    }
    if (record.node !== node)
      throw refusal('JOIN_NODE_MISMATCH', `the token lets the node ${record.node} in, not ${node}`)
    if (record.usedAt !== undefined)
      throw refusal(
        'JOIN_TOKEN_USED',
        `the token was used at ${record.usedAt}, and lets in only once`,
      )
    if (this.#clock.wallMs() >= Date.parse(record.expiration))
      throw refusal('JOIN_TOKEN_EXPIRED', `the token expired at ${record.expiration}`)
    await this.#write(id, { ...record, usedAt: new Date(this.#clock.wallMs()).toISOString() })
  }

  async #write(id: string, record: TokenRecord): Promise<void> {
    const data = tokenFields(record)
    await this.#store.update(keyOf(id), (current) => ({ ...current, data }), {
      part: 'desired',
      author: 'cloudcore',
    })
  }
}

function keyOf(id: string): ObjectKey {
  return { resource: 'secrets', namespace: NAMESPACE, name: `${PREFIX}${id}` }
}

function sameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'hex'), Buffer.from(b, 'hex')]
  return left.length === right.length && timingSafeEqual(left, right)
}

function refusal(code: ProgramCode, message: string): ProgramError {
  return new ProgramError(
    code,
    EXIT.refused,
    `${message}; make one with "cloudcore token create --node NAME"`,
  )
}
