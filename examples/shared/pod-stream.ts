import type {
  AttachRequest,
  ExecRequest,
  PortForwardRequest,
} from 'tideway/adapters/kubernetes/objects'
import { parseObject } from './parse-object.ts'

/** The protocols of streams that lead into the pods of a node. */
export const EXEC_PROTOCOL = 'exec/v1'
export const ATTACH_PROTOCOL = 'attach/v1'
export const PORT_PROTOCOL = 'port-forward/v1'

/** What a stream of each protocol begins with, as JSON. */
export function encodeHead(request: ExecRequest | AttachRequest | PortForwardRequest): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(request))
}

/** Reads the head of a stream to a command; undefined when it is none. */
export function decodeExecHead(bytes: Uint8Array): ExecRequest | undefined {
  const value = parseObject(bytes)
  const command = value?.['command']
  const isCommand = Array.isArray(command) && command.every((word) => typeof word === 'string')
  return isCommand && isAttach(value) ? { ...attachOf(value), command } : undefined
}

/** Reads the head of a stream to a container; undefined when it is none. */
export function decodeAttachHead(bytes: Uint8Array): AttachRequest | undefined {
  const value = parseObject(bytes)
  return isAttach(value) ? attachOf(value) : undefined
}

/** Reads the head of a stream to a port; undefined when it is none. */
export function decodePortHead(bytes: Uint8Array): PortForwardRequest | undefined {
  const { namespace, pod, port } = parseObject(bytes) ?? {}
  const isPort = Number.isInteger(port) && Number(port) > 0 && Number(port) <= 0xffff
  if (!isPort || typeof namespace !== 'string' || typeof pod !== 'string') return undefined
  return { namespace, pod, port: Number(port) }
}

function isAttach(value: Record<string, unknown> | undefined): value is Record<string, unknown> {
  const texts = ['namespace', 'pod', 'container'].every((key) => typeof value?.[key] === 'string')
  const flags = ['stdin', 'stdout', 'stderr', 'tty']
  return texts && flags.every((key) => typeof value?.[key] === 'boolean')
}

function attachOf(value: Record<string, unknown>): AttachRequest {
  const { namespace, pod, container, stdin, stdout, stderr, tty } = value
  return {
    namespace: String(namespace),
    pod: String(pod),
    container: String(container),
    stdin: stdin === true,
    stdout: stdout === true,
    stderr: stderr === true,
    tty: tty === true,
  }
}
