import { constants } from 'node:fs'
import { chmod, mkdir, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ContainerStatus, Mount } from '../../runtime/index.ts'
import type { PodContext } from '../pod-context.ts'
import { podPaths } from '../pod-paths.ts'
import { allContainers, type ContainerView, type PodView } from '../pod-view.ts'
import { LogPrinter } from './cri-log.ts'
import { findTail, LineReader, logFiles } from './log-files.ts'
import {
  joinMessages,
  MESSAGE_LIMITS,
  messagePath,
  shownMessage,
  usesLog,
} from './termination-message.ts'

/** What a container needs to leave last words. */
export interface MessagePlace {
  readonly mounts: readonly Mount[]
  readonly env: Readonly<Record<string, string>>
}

const DEVICES = '/dev/'

/**
 * Makes the file for the last words of one run of a container.
 *
 * @returns where the container finds it: at its path, and, where it shares the machine's files, in the
 * variable `TIDEWAY_TERMINATION_LOG`. The machine's own /dev is left as it is.
 */
export async function messagePlace(
  context: PodContext,
  pod: PodView,
  container: ContainerView,
  attempt: number,
): Promise<MessagePlace> {
  const path = messagePath(container)
  const { supports } = context.runtime
  const source = fileOf(context, pod, container.name, attempt)
  await mkdir(dirname(source), { recursive: true, mode: 0o755 })
  await (await open(source, 'a')).close()
  // Whoever the container runs as may write it, whatever the umask of this process.
  await chmod(source, 0o666)
  const isTaken = container.volumeMounts.some((mount) => mount['mountPath'] === path)
  const isShared = supports.mounts && !supports.images
  const isLeftOut = isTaken || !path.startsWith('/') || (isShared && path.startsWith(DEVICES))
  const mounts = isLeftOut
    ? []
    : [{ volume: 'termination-log', source, path, readOnly: false } as const]
  const isMounted = supports.mounts && !isLeftOut
  const env = supports.images ? {} : { TIDEWAY_TERMINATION_LOG: isMounted ? path : source }
  return { mounts, env }
}

function fileOf(context: PodContext, pod: PodView, container: string, attempt: number): string {
  const { directory } = podPaths(context.directory, pod)
  return join(directory, 'containers', container, `${attempt}.message`)
}

/** The runs of a pod, those that have ended with what they left behind. */
export async function withLastWords(
  context: PodContext,
  pod: PodView,
  observed: readonly ContainerStatus[],
): Promise<readonly ContainerStatus[]> {
  const containers = allContainers(pod)
  const told: ContainerStatus[] = []
  for (const run of observed) {
    const container = containers.find((each) => each.name === run.name)
    if (run.state !== 'exited' || container === undefined) {
      told.push(run)
      continue
    }
    const own = await lastWords(context, pod, container, run)
    const message = joinMessages(run.message, own)
    const shown = message === undefined ? undefined : shownMessage(message, containers.length)
    told.push({ ...run, message: shown })
  }
  return told
}

async function lastWords(
  context: PodContext,
  pod: PodView,
  container: ContainerView,
  run: ContainerStatus,
): Promise<string> {
  const path = fileOf(context, pod, container.name, run.attempt)
  const own = await endOfFile(path, MESSAGE_LIMITS.fileBytesMax).catch(() => '')
  if (own !== '' || !usesLog(container, run)) return own
  return await endOfLog(run.logPath).catch(() => '')
}

/** One run is forgotten, and so is what it left behind. */
export async function removeLastWords(
  context: PodContext,
  pod: PodView,
  run: ContainerStatus,
): Promise<void> {
  await rm(fileOf(context, pod, run.name, run.attempt), { force: true })
}

/** Never follows a link or waits for a pipe that a container has put in the place of its file. */
async function endOfFile(path: string, bytesMax: number): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const found = await file.stat()
    if (!found.isFile()) return ''
    const buffer = Buffer.alloc(bytesMax)
    const start = Math.max(found.size - bytesMax, 0)
    const { bytesRead } = await file.read(buffer, 0, bytesMax, start)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

async function endOfLog(path: string): Promise<string> {
  const files = await logFiles(path)
  const { index, position } = await findTail(files, MESSAGE_LIMITS.logLinesMax)
  const filter = { timestamps: false, sinceMs: undefined, limitBytes: undefined }
  const printer = new LogPrinter(filter)
  let end = Buffer.alloc(0)
  for (const [at, name] of files.slice(index).entries()) {
    const file = await open(name, 'r')
    try {
      const reader = new LineReader(file, at === 0 ? position : 0)
      for (let lines = await reader.next(); lines.length > 0; lines = await reader.next()) {
        end = Buffer.concat([end, printer.print(lines)]).subarray(-MESSAGE_LIMITS.logBytesMax)
      }
    } finally {
      await file.close()
    }
  }
  return end.toString('utf8')
}
