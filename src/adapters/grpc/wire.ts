/** Codes of gRPC that mean something here (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
export const GRPC = {
  ok: 0,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const

/** What comes before each message: a byte that says whether it is compressed, and four of its length. */
export const FRAME_HEAD_BYTES = 5

/** How a call ended, as its headers or trailers tell. */
export interface GrpcStatus {
  readonly code: number
  readonly message: string
}

/** The headers of a call that may take `timeoutMs`; for ever when that is undefined. */
export function callHeaders(path: string, timeoutMs: number | undefined): Record<string, string> {
  return {
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(timeoutMs === undefined ? {} : { 'grpc-timeout': `${Math.ceil(timeoutMs)}m` }),
  }
}

/** A message as it travels, uncompressed. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(FRAME_HEAD_BYTES + message.length)
  framed.writeUInt8(0, 0)
  framed.writeUInt32BE(message.length, 1)
  framed.set(message, FRAME_HEAD_BYTES)
  return framed
}

/** What headers or trailers say of the end of a call; undefined when they do not. */
export function statusIn(headers: object): GrpcStatus | undefined {
  const fields = headers as Readonly<Record<string, unknown>>
  const code = fields['grpc-status']
  if (code === undefined) return undefined
  return { code: Number(code), message: decodeMessage(String(fields['grpc-message'] ?? '')) }
}

/** Bytes outside of printable ASCII travel as `%XX`, but a lone `%` may come, too. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
