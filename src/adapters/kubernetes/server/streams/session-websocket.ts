import type { ProcessSession, SessionSpec } from '../../../../core/interfaces/process-session.ts'
import { StatusError } from '../status.ts'
import { CHANNEL, type ChannelForm, ChannelSocket } from './channels.ts'
import type { StreamHost } from './host.ts'
import { IdleWatch, STREAM_LINGER_MS } from './idle.ts'
import { runSession, type SessionClient, SizeReader } from './session-bridge.ts'
import { openFailure } from './session-status.ts'
import { offeredProtocols, openWebSocket, type Upgrade } from './upgrade.ts'

/** A protocol of sessions over a WebSocket. */
interface Form extends ChannelForm {
  /** How it ended is told as a Status; older ones tell a text, and only of failures. */
  readonly tellsStatus: boolean
}

const PROTOCOLS: Readonly<Record<string, Form>> = {
  'v5.channel.k8s.io': { base64: false, closes: true, tellsStatus: true },
  'v4.channel.k8s.io': { base64: false, closes: false, tellsStatus: true },
  'v4.base64.channel.k8s.io': { base64: true, closes: false, tellsStatus: true },
  'channel.k8s.io': { base64: false, closes: false, tellsStatus: false },
  'base64.channel.k8s.io': { base64: true, closes: false, tellsStatus: false },
  '': { base64: false, closes: false, tellsStatus: false },
}

/** The newest, which is spoken whenever a client offers it at all. */
const NEWEST = 'v5.channel.k8s.io'

/**
 * Serves a session over a WebSocket; resolves when it is over.
 *
 * @param open starts or joins the process. With the newest protocol its failures are told on the error
 * channel, as kube-apiserver does; with the others before the upgrade.
 * @throws StatusError before the upgrade; afterwards nothing.
 */
export async function sessionOverWebSocket(
  upgrade: Upgrade,
  spec: SessionSpec,
  open: () => Promise<ProcessSession>,
  host: StreamHost,
): Promise<void> {
  const protocol = chooseProtocol(upgrade)
  const form = PROTOCOLS[protocol]
  if (form === undefined) throw unsupported(upgrade)
  const early = protocol === NEWEST ? undefined : await open()
  const socket = await openWebSocket(upgrade, protocol).catch((error: unknown) => {
    early?.abort()
    throw error
  })
  let touch: () => void = () => undefined
  const line = new ChannelSocket(socket, form, () => touch())
  const idle = new IdleWatch(host.clock, line, host.idleMs)
  touch = () => idle.touch()
  const release = host.keep(() => line.abort())
  try {
    // Tells the client at once that it is connected.
    await line.send(firstChannel(spec), new Uint8Array())
    const client = new WebSocketClient(line, spec, form, touch)
    await serve(early ?? open, client)
    line.end()
    const cancel = host.clock.schedule(STREAM_LINGER_MS, () => line.abort())
    await line.closed
    cancel()
  } catch {
    // The client has left.
    early?.abort()
    line.abort()
  } finally {
    idle.close()
    release()
  }
}

async function serve(
  opened: ProcessSession | (() => Promise<ProcessSession>),
  client: SessionClient,
): Promise<void> {
  if (typeof opened !== 'function') return await runSession(opened, client)
  let session: ProcessSession
  try {
    session = await opened()
  } catch (error) {
    return await client.finish(openFailure(error))
  }
  await runSession(session, client)
}

function chooseProtocol(upgrade: Upgrade): string {
  const offered = offeredProtocols(upgrade)
  if (offered.length === 0) return ''
  if (offered.includes(NEWEST)) return NEWEST
  const found = offered.find((protocol) => Object.hasOwn(PROTOCOLS, protocol))
  if (found === undefined) throw unsupported(upgrade)
  return found
}

function unsupported(upgrade: Upgrade): StatusError {
  const offered = offeredProtocols(upgrade).join(' ')
  const known = Object.keys(PROTOCOLS).join(' ').trim()
  const why = `requested protocol(s) are not supported: [${offered}]; supports [${known}]`
  return new StatusError('Forbidden', why)
}

function firstChannel({ stdout, stderr }: SessionSpec): number {
  if (stdout) return CHANNEL.stdout
  return stderr ? CHANNEL.stderr : CHANNEL.error
}

class WebSocketClient implements SessionClient {
  readonly gone: Promise<void>
  readonly #line: ChannelSocket
  readonly #spec: SessionSpec
  readonly #form: Form
  readonly #touch: () => void

  constructor(line: ChannelSocket, spec: SessionSpec, form: Form, touch: () => void) {
    this.gone = line.closed
    this.#line = line
    this.#spec = spec
    this.#form = form
    this.#touch = touch
  }

  async feed(session: ProcessSession): Promise<void> {
    const sizes = new SizeReader()
    for await (const { channel, bytes } of this.#line) {
      if (channel === CHANNEL.stdin && this.#spec.stdin) {
        if (bytes === undefined) session.endInput()
        else await session.writeInput(bytes)
      } else if (channel === CHANNEL.resize && bytes !== undefined) {
        const size = sizes.push(bytes)
        if (size !== undefined) session.resize(size)
      }
    }
  }

  async write(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void> {
    this.#touch()
    if (this.#spec[stream]) await this.#line.send(CHANNEL[stream], bytes)
  }

  async finish(status: Parameters<SessionClient['finish']>[0]): Promise<void> {
    const isFailure = status['status'] !== 'Success'
    const text = this.#form.tellsStatus ? JSON.stringify(status) : String(status['message'] ?? '')
    if (!this.#form.tellsStatus && !isFailure) return
    await this.#line.send(CHANNEL.error, Buffer.from(text))
  }
}
