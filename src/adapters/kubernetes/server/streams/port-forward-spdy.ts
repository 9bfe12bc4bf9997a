import type { Duplex } from 'node:stream'
import { createWebSocketStream } from 'ws'
import type { SpdyStream } from '../../../spdy/stream.ts'
import { StatusError } from '../status.ts'
import type { StreamHost } from './host.ts'
import { type ForwardTarget, forwardPort, parsePort } from './port-forward.ts'
import { spdyLine } from './spdy-line.ts'
import {
  negotiateSpdy,
  offeredProtocols,
  openSpdy,
  openWebSocket,
  type Upgrade,
} from './upgrade.ts'

const PROTOCOL = 'portforward.k8s.io'
const TUNNEL_PREFIX = 'SPDY/3.1+'

/** How long the second stream of a connection may take. */
const PAIR_MS_MAX = 30_000

/** Whether a client wants SPDY inside its WebSocket. */
export function wantsTunnel(upgrade: Upgrade): boolean {
  return offeredProtocols(upgrade).some(
    (protocol) => protocol.startsWith(TUNNEL_PREFIX) && protocol.endsWith('.k8s.io'),
  )
}

/** Serves port-forward over SPDY; resolves when the connection is over. @throws StatusError before. */
export async function forwardOverSpdy(
  upgrade: Upgrade,
  target: ForwardTarget,
  host: StreamHost,
): Promise<void> {
  const protocol = negotiateSpdy(upgrade, [PROTOCOL])
  await serve(openSpdy(upgrade, protocol), target, host)
}

/** Serves port-forward over SPDY inside a WebSocket. @throws StatusError before. */
export async function forwardOverTunnel(
  upgrade: Upgrade,
  target: ForwardTarget,
  host: StreamHost,
): Promise<void> {
  const protocol = `${TUNNEL_PREFIX}${PROTOCOL}`
  if (!offeredProtocols(upgrade).includes(protocol)) {
    const offered = offeredProtocols(upgrade).join(' ')
    const lists = `client supports [${offered}], server accepts [${protocol}]`
    throw new StatusError('Forbidden', `unable to upgrade: unable to negotiate protocol: ${lists}`)
  }
  const socket = await openWebSocket(upgrade, protocol)
  await serve(createWebSocketStream(socket), target, host)
}

/** The streams of one connection to a port: one for its bytes, one for what goes wrong. */
interface Pair {
  data?: SpdyStream
  error?: SpdyStream
  cancel: () => void
}

async function serve(socket: Duplex, target: ForwardTarget, host: StreamHost): Promise<void> {
  const pairs = new Map<string, Pair>()
  const pairFor = (id: string): Pair => {
    const known = pairs.get(id)
    if (known !== undefined) return known
    const cancel = host.clock.schedule(PAIR_MS_MAX, () => {
      pairs.delete(id)
      pair.data?.reset()
      pair.error?.reset()
    })
    const pair: Pair = { cancel }
    pairs.set(id, pair)
    return pair
  }
  const accept = (stream: SpdyStream): boolean => {
    const type = stream.headers.get('streamtype')
    if (type !== 'data' && type !== 'error') return false
    if (parsePort(stream.headers.get('port')) === undefined) return false
    const id = stream.headers.get('requestid') ?? pairNumber(stream, type)
    const pair = pairFor(id)
    if (pair[type] !== undefined) return false
    pair[type] = stream
    const { data, error } = pair
    if (data === undefined || error === undefined) return true
    pair.cancel()
    pairs.delete(id)
    void forward(data, error, target, () => line.touch())
    return true
  }
  const line = spdyLine(socket, accept, host)
  await line.connection.closed
  for (const pair of pairs.values()) pair.cancel()
}

/** Old clients number nothing: they open the error stream first and the data stream right after. */
function pairNumber(stream: SpdyStream, type: 'data' | 'error'): string {
  return `stream ${type === 'error' ? stream.id : stream.id - 2}`
}

async function forward(
  data: SpdyStream,
  error: SpdyStream,
  target: ForwardTarget,
  touch: () => void,
): Promise<void> {
  const port = parsePort(data.headers.get('port')) ?? 0
  const failure = await forwardPort(target, port, data, touch)
  if (failure !== undefined) {
    await error.write(Buffer.from(failure)).catch(() => undefined)
    data.reset()
  }
  error.end()
}
