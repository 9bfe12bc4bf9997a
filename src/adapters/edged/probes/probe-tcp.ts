import { connect } from 'node:net'
import type { LookResult } from './probe-look.ts'

/** Connects to a port: that somebody listens is success. */
export function tcpLook(
  host: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<LookResult> {
  return new Promise((resolve) => {
    const address = joinHostPort(host, port)
    const socket = connect({ host, port, signal })
    const finish = (result: LookResult): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    const fail = (why: string): void =>
      finish({ outcome: 'failure', output: `dial tcp ${address}: ${why}` })
    const timer = setTimeout(() => fail('i/o timeout'), timeoutMs)
    socket.once('connect', () => finish({ outcome: 'success', output: '' }))
    socket.on('error', (error) => fail(connectProblem(error)))
  })
}

/** A host and a port as they are written together. */
export function joinHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Why a connection failed, as Go's programs say it where they do. */
export function connectProblem(error: Error): string {
  const code = 'code' in error ? error.code : undefined
  switch (code) {
    case 'ECONNREFUSED':
      return 'connect: connection refused'
    case 'EHOSTUNREACH':
      return 'connect: no route to host'
    case 'ENETUNREACH':
      return 'connect: network is unreachable'
    case 'ECONNRESET':
      return 'read: connection reset by peer'
    default:
      return error.message
  }
}
