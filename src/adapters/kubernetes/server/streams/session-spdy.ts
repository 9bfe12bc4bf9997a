import type { ProcessSession, SessionSpec } from '../../../../core/interfaces/process-session.ts'
import type { SpdyStream } from '../../../spdy/stream.ts'
import type { JsonObject } from '../../objects/types.ts'
import type { StreamHost } from './host.ts'
import { runSession, type SessionClient, SizeReader } from './session-bridge.ts'
import { spdyLine } from './spdy-line.ts'
import { negotiateSpdy, openSpdy, type Upgrade } from './upgrade.ts'

/** What the versions of the protocol add: v3 sizes of terminals, v4 a Status at the end. */
const PROTOCOLS: Readonly<Record<string, { readonly sizes: boolean; readonly status: boolean }>> = {
  'v4.channel.k8s.io': { sizes: true, status: true },
  'v3.channel.k8s.io': { sizes: true, status: false },
  'v2.channel.k8s.io': { sizes: false, status: false },
  'channel.k8s.io': { sizes: false, status: false },
}

type Role = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize'
const ROLES: readonly string[] = ['error', 'stdin', 'stdout', 'stderr', 'resize']

/** How long a client may take to open its streams. */
const STREAMS_MS_MAX = 30_000

/**
 * Serves a session over SPDY/3.1; resolves when it is over.
 *
 * @param open starts or joins the process. Its failures are told before the upgrade.
 * @throws StatusError before the upgrade; afterwards nothing.
 */
export async function sessionOverSpdy(
  upgrade: Upgrade,
  spec: SessionSpec,
  open: () => Promise<ProcessSession>,
  host: StreamHost,
): Promise<void> {
  const protocol = negotiateSpdy(upgrade, Object.keys(PROTOCOLS))
  const form = PROTOCOLS[protocol] ?? { sizes: false, status: false }
  const session = await open()
  const wanted = new Set<Role>(['error'])
  if (spec.stdin) wanted.add('stdin')
  if (spec.stdout) wanted.add('stdout')
  if (spec.stderr && !spec.tty) wanted.add('stderr')
  if (spec.tty && form.sizes) wanted.add('resize')
  const streams = new Map<Role, SpdyStream>()
  let complete: () => void = () => undefined
  const isComplete = new Promise<void>((resolve) => {
    complete = resolve
  })
  const accept = (stream: SpdyStream): boolean => {
    const role = roleOf(stream)
    if (role === undefined || streams.has(role)) return false
    streams.set(role, stream)
    wanted.delete(role)
    if (wanted.size === 0) complete()
    return true
  }
  const line = spdyLine(openSpdy(upgrade, protocol), accept, host)
  const { closed } = line.connection
  const late = host.clock.schedule(STREAMS_MS_MAX, () => {
    if (wanted.size > 0) line.connection.abort()
  })
  await Promise.race([isComplete, closed])
  late()
  if (wanted.size > 0) session.abort()
  else await runSession(session, new SpdyClient(streams, closed, form.status, () => line.touch()))
  await line.finish()
}

function roleOf(stream: SpdyStream): Role | undefined {
  const text = stream.headers.get('streamtype') ?? ''
  return ROLES.includes(text) ? (text as Role) : undefined
}

class SpdyClient implements SessionClient {
  readonly gone: Promise<void>
  readonly #streams: ReadonlyMap<Role, SpdyStream>
  readonly #tellsStatus: boolean
  readonly #touch: () => void

  constructor(
    streams: ReadonlyMap<Role, SpdyStream>,
    gone: Promise<void>,
    tellsStatus: boolean,
    touch: () => void,
  ) {
    this.#streams = streams
    this.gone = gone
    this.#tellsStatus = tellsStatus
    this.#touch = touch
  }

  async feed(session: ProcessSession): Promise<void> {
    await Promise.all([this.#feedInput(session), this.#feedSizes(session)])
  }

  async write(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void> {
    this.#touch()
    await this.#streams.get(stream)?.write(bytes)
  }

  async finish(status: JsonObject): Promise<void> {
    this.#streams.get('stdout')?.end()
    this.#streams.get('stderr')?.end()
    const error = this.#streams.get('error')
    const isFailure = status['status'] !== 'Success'
    const text = this.#tellsStatus ? JSON.stringify(status) : String(status['message'] ?? '')
    if (this.#tellsStatus || isFailure) await error?.write(Buffer.from(text))
    error?.end()
  }

  async #feedInput(session: ProcessSession): Promise<void> {
    const stream = this.#streams.get('stdin')
    if (stream === undefined) return
    try {
      for await (const bytes of stream) await session.writeInput(bytes)
    } catch {
      // The stream alone was reset: there is no more input.
    }
    session.endInput()
  }

  async #feedSizes(session: ProcessSession): Promise<void> {
    const stream = this.#streams.get('resize')
    if (stream === undefined) return
    const sizes = new SizeReader()
    try {
      for await (const bytes of stream) {
        const size = sizes.push(bytes)
        if (size !== undefined) session.resize(size)
      }
    } catch {
      // No more sizes.
    }
  }
}
