import type { ContainerStatus } from '../../runtime/index.ts'
import { asText } from '../json.ts'
import type { ContainerView } from '../pod-view.ts'

/** How much of what a container leaves behind is shown, in bytes. */
export const MESSAGE_LIMITS: {
  /** Of its file: the end. */
  readonly fileBytesMax: number
  /** Of its log: the end of the last lines. */
  readonly logBytesMax: number
  readonly logLinesMax: number
  /** Of all containers of a pod together: each gets an equal part. */
  readonly podBytesMax: number
} = { fileBytesMax: 4096, logBytesMax: 2048, logLinesMax: 80, podBytesMax: 12 * 1024 }

const PATH_DEFAULT = '/dev/termination-log'

/** Where a container writes its last words. */
export function messagePath(container: ContainerView): string {
  const path = asText(container.json['terminationMessagePath']) ?? ''
  return path === '' ? PATH_DEFAULT : path
}

/** Whether the end of the log is shown for a container that failed without a word. */
export function usesLog(container: ContainerView, run: ContainerStatus): boolean {
  const policy = asText(container.json['terminationMessagePolicy'])
  // One that never ran has written no log.
  return policy === 'FallbackToLogsOnError' && run.exitCode !== 0 && run.reason !== 'StartError'
}

/** What the runtime says of an end, and what the container itself says of it. */
export function joinMessages(runtime: string | undefined, own: string): string | undefined {
  if (own === '') return runtime
  return runtime === undefined || runtime === '' ? own : `${runtime}: ${own}`
}

/** The part of the message of one container that is shown, given how many the pod has. */
export function shownMessage(message: string, containers: number): string {
  const bytesMax = Math.floor(MESSAGE_LIMITS.podBytesMax / Math.max(containers, 1))
  const bytes = Buffer.from(message)
  if (bytes.length <= bytesMax) return message
  let end = bytesMax
  // Not in the middle of a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return bytes.toString('utf8', 0, end)
}
