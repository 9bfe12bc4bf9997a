import { once } from 'node:events'
import { createServer, type Http2Session, type ServerHttp2Stream } from 'node:http2'

/** A gRPC server that tells of its health: `grpc.health.v1.Health`. */
export interface HealthServer {
  readonly port: number
  close(): Promise<void>
}

/** What it says of each of its services: that it serves, or that it does not. */
const SERVICES: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['up', 1],
  ['down', 2],
])
const NOT_FOUND = '5'
const UNIMPLEMENTED = '12'
const MESSAGE_HEAD_BYTES = 5

/** Starts one at an address of this machine. */
export async function startHealthServer(host: string): Promise<HealthServer> {
  const sessions = new Set<Http2Session>()
  const server = createServer()
  server.on('session', (session) => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined)
    void serve(stream, headers[':path'] ?? '')
  })
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const close = async (): Promise<void> => {
    const closed = once(server, 'close')
    server.close()
    for (const session of sessions) session.destroy()
    await closed
  }
  return { port, close }
}

async function serve(stream: ServerHttp2Stream, path: string): Promise<void> {
  const pieces: Buffer[] = []
  for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece)
  const fail = (status: string, message: string): void =>
    stream.respond(
      { 'content-type': 'application/grpc', 'grpc-status': status, 'grpc-message': message },
      { endStream: true },
    )
  if (path !== '/grpc.health.v1.Health/Check') return fail(UNIMPLEMENTED, 'unknown method')
  const known = SERVICES.get(serviceIn(Buffer.concat(pieces).subarray(MESSAGE_HEAD_BYTES)))
  if (known === undefined) return fail(NOT_FOUND, 'unknown service')
  stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  // Field 1 of the answer, after the head of a message of two bytes.
  stream.end(Buffer.from([0, 0, 0, 0, 2, 8, known]))
}

/** Field 1 of the request, a short text. */
function serviceIn(message: Buffer): string {
  return message.length === 0 ? '' : message.subarray(2, 2 + (message[1] ?? 0)).toString()
}
