import { type ErrorCode, TidewayError } from 'tideway'

/** What the page may ask of a listener or a connection in Node. */
export type FarMethod =
  | 'listen'
  | 'accept'
  | 'stop'
  | 'closed'
  | 'send'
  | 'drained'
  | 'read'
  | 'close'
  | 'abort'

/** An error by its number: the same error has the same one on both sides. */
export interface FarErrorRecord {
  readonly id: string
  readonly code: string
  readonly message: string
}

/** What a call came to. A call that takes time gives a ticket, to wait with. */
export type FarAnswer =
  | { readonly type: 'value'; readonly value: unknown }
  | { readonly type: 'thrown'; readonly error: FarErrorRecord }
  | { readonly type: 'ticket'; readonly ticket: number }

/** How Node answers a read that gives no message. */
export const FAR_STATUS: { readonly end: 204; readonly thrown: 409 } = { end: 204, thrown: 409 }

/** Waits for a ticket. Node gives this function to the page. */
export type FarWait = (ticket: number) => Promise<Exclude<FarAnswer, { type: 'ticket' }>>

/** An error that was made in Node. */
class FarError extends TidewayError {
  constructor({ code, message }: FarErrorRecord) {
    super(code as ErrorCode, message)
  }
}

const errors = new Map<string, TidewayError>()
let ownErrorCount = 0

/** Numbers an error of the page, so that it is known when it comes back. */
export function numberError(error: TidewayError): FarErrorRecord {
  ownErrorCount += 1
  const id = `page-${ownErrorCount}`
  errors.set(id, error)
  return { id, code: error.code, message: error.message }
}

/** The error of a record: the very one each time. */
export function errorOf(record: FarErrorRecord): TidewayError {
  const known = errors.get(record.id)
  if (known !== undefined) return known
  const error = new FarError(record)
  errors.set(record.id, error)
  return error
}

/**
 * Calls into Node and returns when that has happened, as a call in the page would.
 *
 * The connection's interface promises what holds when a call returns. Only a synchronous request
 * keeps that across processes.
 */
export function callFar(
  method: FarMethod,
  target: number,
  body: Uint8Array<ArrayBuffer> | string = '',
): unknown {
  const request = new XMLHttpRequest()
  request.open('POST', `/far?method=${method}&target=${target}`, false)
  request.send(body)
  if (request.status !== 200) throw new Error(`the control channel failed: ${request.responseText}`)
  const answer = JSON.parse(request.responseText) as FarAnswer
  switch (answer.type) {
    case 'value':
      return answer.value
    case 'thrown':
      throw errorOf(answer.error)
    case 'ticket':
      return waitFar(answer.ticket)
  }
}

/**
 * The next message that a connection in Node yields, or undefined at its end.
 *
 * A request of its own, because bytes do not go through the function that waits.
 */
export async function readFar(target: number): Promise<Uint8Array | undefined> {
  const response = await fetch(`/next?target=${target}`)
  if (response.status === FAR_STATUS.end) return undefined
  if (response.status === FAR_STATUS.thrown) throw errorOf(await response.json())
  if (!response.ok) throw new Error(`the control channel failed: ${await response.text()}`)
  return new Uint8Array(await response.arrayBuffer())
}

async function waitFar(ticket: number): Promise<unknown> {
  const wait = (globalThis as unknown as { readonly farWait: FarWait }).farWait
  const answer = await wait(ticket)
  if (answer.type === 'thrown') throw errorOf(answer.error)
  return answer.value
}
