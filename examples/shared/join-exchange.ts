import { parseObject } from './parse-object.ts'

/** The name in the certificate of every cloud's sync port, whatever address it is reached at. */
export const CLOUD_NAME = 'cloudcore.tideway.internal'

/** Where a node sends its request to join, over HTTPS. */
export const JOIN_PATH = '/v1/join'

/** Where the WebSocket of a node that has joined is. */
export const SYNC_PATH = '/v1/sync'

/** The largest request or answer of an exchange. */
export const JOIN_BYTES_MAX: number = 16 * 1024

/** What a node sends to join. */
export interface JoinRequest {
  readonly id: string
  readonly secret: string
  readonly node: string
  /** PEM. */
  readonly csr: string
}

/** What it gets. */
export interface JoinAnswer {
  /** PEM. */
  readonly certificate: string
  readonly fleet: string
}

/** Reads a request; undefined when it is none. */
export function parseJoinRequest(text: string): JoinRequest | undefined {
  const { id, secret, node, csr } = parseObject(text) ?? {}
  if (typeof id !== 'string' || typeof secret !== 'string') return undefined
  if (typeof node !== 'string' || typeof csr !== 'string') return undefined
  return { id, secret, node, csr }
}

/** Reads an answer; undefined when it is none. */
export function parseJoinAnswer(text: string): JoinAnswer | undefined {
  const { certificate, fleet } = parseObject(text) ?? {}
  if (typeof certificate !== 'string' || typeof fleet !== 'string') return undefined
  return { certificate, fleet }
}

/** Reads why a request was refused; undefined when the text does not say. */
export function parseJoinRefusal(
  text: string,
): { readonly code: string; readonly message: string } | undefined {
  const { code, message } = parseObject(text) ?? {}
  return typeof code === 'string' && typeof message === 'string' ? { code, message } : undefined
}
