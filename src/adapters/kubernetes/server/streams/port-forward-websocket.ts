import type { ByteStream } from '../../../../core/interfaces/byte-stream.ts'
import { badRequest, StatusError } from '../status.ts'
import { type ChannelForm, ChannelSocket } from './channels.ts'
import type { StreamHost } from './host.ts'
import { IdleWatch } from './idle.ts'
import { type ForwardTarget, forwardPort, parsePort } from './port-forward.ts'
import { offeredProtocols, openWebSocket, type Upgrade } from './upgrade.ts'

const PROTOCOLS: Readonly<Record<string, ChannelForm>> = {
  'v4.channel.k8s.io': { base64: false, closes: false },
  'v4.base64.channel.k8s.io': { base64: true, closes: false },
  '': { base64: false, closes: false },
}

/** More ports than this in one request are refused. */
const PORTS_MAX = 100

/** Bytes that a port may be behind with before its whole socket is read no further. */
const QUEUE_BYTES_MAX = 128 * 1024

/**
 * The ports that a request names, for the protocols that need to know them beforehand.
 *
 * @throws StatusError 400.
 */
export function portsOf(query: URLSearchParams): readonly number[] {
  const texts = query
    .getAll('ports')
    .flatMap((text) => text.split(','))
    .filter((text) => text !== '')
  if (texts.length === 0) throw badRequest('query parameter "port" is required')
  if (texts.length > PORTS_MAX) throw badRequest(`at most ${PORTS_MAX} ports`)
  return texts.map((text) => {
    const port = parsePort(text)
    if (port === undefined) throw badRequest(`unable to parse ${JSON.stringify(text)} as a port`)
    return port
  })
}

/**
 * Serves port-forward over the channels of a WebSocket: for each port a channel for its bytes and one
 * for what goes wrong, both beginning with the number of the port.
 *
 * @throws StatusError before the upgrade; afterwards nothing.
 */
export async function forwardOverChannels(
  upgrade: Upgrade,
  ports: readonly number[],
  target: ForwardTarget,
  host: StreamHost,
): Promise<void> {
  const offered = offeredProtocols(upgrade)
  const protocol =
    offered.length === 0 ? '' : offered.find((name) => Object.hasOwn(PROTOCOLS, name))
  const form = protocol === undefined ? undefined : PROTOCOLS[protocol]
  if (protocol === undefined || form === undefined) {
    const lists = `[${offered.join(' ')}]; supports [${Object.keys(PROTOCOLS).join(' ').trim()}]`
    throw new StatusError('Forbidden', `requested protocol(s) are not supported: ${lists}`)
  }
  const socket = await openWebSocket(upgrade, protocol)
  let touch: () => void = () => undefined
  const line = new ChannelSocket(socket, form, () => touch())
  const idle = new IdleWatch(host.clock, line, host.idleMs)
  touch = () => idle.touch()
  const release = host.keep(() => line.abort())
  const channels = ports.map((_port, index) => new PortChannel(line, index * 2))
  const serving = ports.map((port, index) => servePort(port, channels[index], line, target, touch))
  try {
    for await (const { channel, bytes } of line) {
      const wanted = channel % 2 === 0 ? channels[channel / 2] : undefined
      if (bytes !== undefined) await wanted?.push(bytes)
    }
  } finally {
    for (const channel of channels) channel.fail()
    await Promise.all(serving)
    idle.close()
    release()
  }
}

async function servePort(
  port: number,
  channel: PortChannel | undefined,
  line: ChannelSocket,
  target: ForwardTarget,
  touch: () => void,
): Promise<void> {
  if (channel === undefined) return
  const number = Buffer.alloc(2)
  number.writeUInt16LE(port)
  try {
    await line.send(channel.number, number)
    await line.send(channel.number + 1, number)
    const failure = await forwardPort(target, port, channel, touch)
    if (failure !== undefined) await line.send(channel.number + 1, Buffer.from(failure))
  } catch {
    // The client has left.
  }
}

/** The bytes of one port. The protocol cannot end one direction: all end with the socket. */
class PortChannel implements ByteStream {
  readonly number: number
  readonly closed: Promise<void>
  readonly #line: ChannelSocket
  #chunks: Uint8Array[] = []
  #bytes = 0
  #isOver = false
  #close: () => void = () => undefined
  #wakeReader: () => void = () => undefined
  #wakeRoom: () => void = () => undefined

  constructor(line: ChannelSocket, number: number) {
    this.#line = line
    this.number = number
    this.closed = new Promise((resolve) => {
      this.#close = resolve
    })
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#isOver) throw new Error('the channel is closed')
    await this.#line.send(this.number, bytes)
  }

  end(): void {
    // There is no way to say so.
  }

  reset(): void {
    this.fail()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    while (!this.#isOver) {
      const chunk = this.#chunks.shift()
      if (chunk === undefined) {
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve
        })
        continue
      }
      this.#bytes -= chunk.length
      this.#wakeRoom()
      yield chunk
    }
  }

  /** The client has sent bytes; resolves when there is room for more. */
  async push(bytes: Uint8Array): Promise<void> {
    if (this.#isOver) return
    this.#chunks.push(bytes)
    this.#bytes += bytes.length
    this.#wakeReader()
    while (this.#bytes > QUEUE_BYTES_MAX && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wakeRoom = resolve
      })
    }
  }

  /** Nothing more can come or go. */
  fail(): void {
    this.#isOver = true
    this.#chunks = []
    this.#wakeReader()
    this.#wakeRoom()
    this.#close()
  }
}
