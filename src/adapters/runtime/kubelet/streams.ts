import type { ByteStream } from '../../../core/interfaces/byte-stream.ts'
import type { ProcessSession } from '../../../core/interfaces/process-session.ts'
import type { AttachRequest, PodStreams } from '../../kubernetes/objects/pod-streams.ts'
import { ObjectError } from '../../kubernetes/objects/types.ts'
import { openSession } from '../cri/engine-session.ts'
import type { StreamPlace } from '../cri/engine-streams.ts'
import { EnginePort } from '../cri/port-connection.ts'
import { RuntimeError } from '../index.ts'
import { OpenSessions, SESSION_LIMITS } from '../open-sessions.ts'
import { type FindKubelet, type KubeletAccess, kubeletOf, pathOf } from './access.ts'

/** The way into the containers of a node's pods, through its kubelet. */
export interface KubeletStreams extends PodStreams {
  /** Ends every session and every connection. A command that a session began runs on. */
  close(): Promise<void>
}

/** Gets into the containers of a node's pods as kubelet's own clients do. */
export function kubeletStreams(find: FindKubelet): KubeletStreams {
  const open = new OpenSessions(SESSION_LIMITS)
  let requests = 0
  const join = async (kind: string, asked: AttachRequest, commands: readonly string[]) => {
    open.checkSessions()
    const query = new URLSearchParams(commands.map((word) => ['command', word]))
    const { stdin, stdout, stderr, tty } = asked
    const switches = { input: stdin, output: stdout, error: stderr && !tty, tty }
    for (const [name, is] of Object.entries(switches)) if (is) query.set(name, '1')
    const path = pathOf(kind, asked.namespace, asked.pod, asked.container)
    const place = placeOf(kubeletOf(find), `${path}?${query.toString()}`)
    // Nobody can tell the kubelet to end what it began: with it it is always so.
    const hooks = { kill: () => undefined }
    return open.keepSession(await openSession(place, asked, hooks))
  }
  return {
    exec: (asked): Promise<ProcessSession> => told(join('exec', asked, asked.command)),
    attach: (asked): Promise<ProcessSession> => told(join('attach', asked, [])),
    portForward: ({ namespace, pod, port }): Promise<ByteStream> => {
      const dial = async (): Promise<ByteStream> => {
        open.checkConnections()
        const place = placeOf(kubeletOf(find), pathOf('portForward', namespace, pod))
        requests += 1
        return open.keepConnection(await EnginePort.open(place, port, requests))
      }
      return told(dial())
    },
    close: () => open.close(),
  }
}

function placeOf({ host, port, ca, cert, key }: KubeletAccess, path: string): StreamPlace {
  const name = host.includes(':') ? `[${host}]` : host
  return { url: `https://${name}:${port}${path}`, tls: { ca, cert, key } }
}

/** What the kubelet refuses, in its words. */
async function told<Opened>(opening: Promise<Opened>): Promise<Opened> {
  try {
    return await opening
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error
    throw new ObjectError('InternalError', error.message, { cause: error })
  }
}
