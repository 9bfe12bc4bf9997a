import { open } from 'node:fs/promises'
import type { Clock } from '../../../core/interfaces/clock.ts'
import {
  type LogRequest,
  ObjectError,
  type ObjectKey,
  type ObjectStore,
  type PodLogs,
} from '../../kubernetes/objects/types.ts'
import type { ContainerStatus, PodRuntime } from '../../runtime/index.ts'
import { asObject, asText } from '../json.ts'
import { runsOf } from '../pod-plan.ts'
import { allContainers, type PodView, toldOf, viewPod } from '../pod-view.ts'
import { type LogFilter, LogPrinter } from './cri-log.ts'
import { fileAfter, findTail, LineReader, logChange, logFiles } from './log-files.ts'

/** What {@link podLogs} needs. */
export interface PodLogsOptions {
  readonly node: string
  readonly store: ObjectStore
  readonly runtime: PodRuntime
  readonly clock: Clock
  /** Ends every stream. */
  readonly closed: AbortSignal
}

/** The logs of the pods of this node, read from the files that the runtime writes. */
export function podLogs(options: PodLogsOptions): PodLogs {
  return {
    async open(request) {
      const { pod, key } = findPod(request, options)
      const run = await findRun(request, pod, key, options)
      const filter = filterOf(request, options.clock)
      return read(request, run, filter, options)
    },
  }
}

function findPod(
  request: LogRequest,
  options: PodLogsOptions,
): { readonly pod: PodView; readonly key: ObjectKey } {
  const key = { resource: 'pods', namespace: request.namespace, name: request.pod }
  const object = options.store.get(key)
  if (object === undefined) {
    throw new ObjectError('NotFound', `pods "${request.pod}" not found`, { key })
  }
  const pod = viewPod(object)
  if (pod.nodeName !== options.node) {
    const message = `pod "${request.pod}" does not run on node "${options.node}"`
    throw new ObjectError('ServiceUnavailable', message, { key })
  }
  if (!allContainers(pod).some((container) => container.name === request.container)) {
    const message = `container ${request.container} is not valid for pod ${request.pod}`
    throw new ObjectError('BadRequest', message, { key })
  }
  return { pod, key }
}

async function findRun(
  request: LogRequest,
  pod: PodView,
  key: ObjectKey,
  options: PodLogsOptions,
): Promise<ContainerStatus> {
  const { containers } = await options.runtime.list(pod.uid)
  const runs = runsOf(containers, request.container).filter((run) => run.state !== 'created')
  // While a container waits for its restart, kubelet shows its last run: that is what is wanted.
  const latest = runs.at(-1)
  const run = request.previous ? previousRun(pod, runs, request.container) : latest
  if (run !== undefined) return run
  const where = `container "${request.container}" in pod "${request.pod}"`
  const message = request.previous
    ? `previous terminated ${where} not found`
    : `${where} is waiting to start: ${waitingReason(pod, request.container)}`
  throw new ObjectError('BadRequest', message, { key })
}

/** The run before the current one; in a crash loop the newest run is itself the previous one. */
function previousRun(
  pod: PodView,
  runs: readonly ContainerStatus[],
  container: string,
): ContainerStatus | undefined {
  const latest = runs.at(-1)
  const isBetweenRuns =
    latest?.state === 'exited' && stateOf(pod, container)['waiting'] !== undefined
  return isBetweenRuns ? latest : runs.at(-2)
}

function waitingReason(pod: PodView, container: string): string {
  return asText(asObject(stateOf(pod, container)['waiting'])['reason']) ?? 'ContainerCreating'
}

function stateOf(pod: PodView, container: string): ReturnType<typeof asObject> {
  return asObject(toldOf(pod, container)?.['state'])
}

function filterOf(request: LogRequest, clock: Clock): LogFilter {
  const { timestamps, limitBytes, sinceSeconds, sinceTime } = request
  const bySeconds = sinceSeconds === undefined ? undefined : clock.wallMs() - sinceSeconds * 1000
  const byTime = sinceTime === undefined ? undefined : Date.parse(sinceTime)
  if (byTime !== undefined && Number.isNaN(byTime)) {
    throw new ObjectError(
      'BadRequest',
      `sinceTime ${JSON.stringify(sinceTime)} is no RFC 3339 time`,
    )
  }
  return { timestamps, limitBytes, sinceMs: bySeconds ?? byTime }
}

async function* read(
  request: LogRequest,
  run: ContainerStatus,
  filter: LogFilter,
  options: PodLogsOptions,
): AsyncGenerator<Uint8Array> {
  const path = run.logPath
  const signal = AbortSignal.any([request.signal, options.closed])
  const printer = new LogPrinter(filter)
  const start = await startOf(path, request)
  let next = start.path
  let position = start.position
  while (!signal.aborted && !printer.isFinished) {
    if (next === undefined) {
      // The container has not written anything yet.
      if (!request.follow || !(await mayWrite(run, options))) return
      await logChange(path, options.clock, signal)
      next = (await logFiles(path))[0]
      continue
    }
    const file = await open(next, 'r')
    try {
      const reader = new LineReader(file, position)
      const { ino } = await file.stat()
      yield* readToEnd(reader, printer, signal)
      next = await fileAfter(path, ino)
      while (next === undefined && request.follow && !signal.aborted && !printer.isFinished) {
        // Asked before the last look at the file: what was written until the end is then read.
        const isLive = await mayWrite(run, options)
        if (isLive) await logChange(path, options.clock, signal)
        next = await fileAfter(path, ino)
        yield* readToEnd(reader, printer, signal)
        if (!isLive && next === undefined) return
      }
    } finally {
      await file.close()
    }
    if (next === undefined) return
    position = 0
  }
}

async function* readToEnd(
  reader: LineReader,
  printer: LogPrinter,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  while (!signal.aborted && !printer.isFinished) {
    const lines = await reader.next()
    if (lines.length === 0) return
    const text = printer.print(lines)
    if (text.length > 0) yield text
  }
}

async function startOf(
  path: string,
  request: LogRequest,
): Promise<{ readonly path: string | undefined; readonly position: number }> {
  const files = await logFiles(path)
  if (request.tailLines === undefined) return { path: files[0], position: 0 }
  const { index, position } = await findTail(files, request.tailLines)
  return { path: files[index], position }
}

/** Whether more may come into a log: the container is there and has not ended. */
async function mayWrite(run: ContainerStatus, options: PodLogsOptions): Promise<boolean> {
  if (options.closed.aborted) return false
  const { containers } = await options.runtime.list(run.podUid)
  return containers.some((each) => each.id === run.id && each.state !== 'exited')
}
