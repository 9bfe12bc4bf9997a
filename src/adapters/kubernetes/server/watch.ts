import type { ServerResponse } from 'node:http'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { JsonObject, KubeObject, ObjectEvent, ObjectStore, Resource } from '../objects/types.ts'
import { ObjectError } from '../objects/types.ts'
import { apiVersionOf } from './catalog.ts'
import { encodeObject } from './encode.ts'
import { withField } from './json.ts'
import { selectorOf, tooLargeVersion, versionParameter } from './list.ts'
import type { Answer } from './negotiate.ts'
import { isTrue, wholeNumber } from './request.ts'
import type { Selector } from './selectors.ts'
import { badRequest, StatusError, toStatus } from './status.ts'
import { includeObject, metadataOf, tableOf } from './table/table.ts'

/** How many events may wait for a slow reader, beside those that there were at the start. */
export const PENDING_EVENTS_MAX = 4096

/** How often a quiet watch tells how far it is. */
const BOOKMARK_MS = 60_000

/** How long a watch lasts that does not say. Spread, so that clients do not all come back at once. */
const DURATION_MS_MIN = 1_800_000
const DURATION_MS_SPREAD = 1_800_000

/** What a watch works with. */
export interface WatchSource {
  readonly store: ObjectStore
  readonly resource: Resource
  readonly namespace: string | undefined
  readonly query: URLSearchParams
  readonly answer: Answer
  readonly clock: Clock
  /** Between 0 and 1. */
  readonly random: () => number
}

/** A watch that is going on. */
export interface RunningWatch {
  /** Ends it in good order: what is written stays written. */
  end(): void
  /** Resolves once it holds nothing any more. */
  readonly done: Promise<void>
}

type Frame =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  | { readonly type: 'BOOKMARK'; readonly version: number; readonly isInitialEnd: boolean }
  | { readonly type: 'ERROR'; readonly status: JsonObject }

interface Plan {
  readonly select: Selector
  readonly allowsBookmarks: boolean
  readonly durationMs: number
  readonly start: 'state' | 'now' | number
  readonly sendsInitialEnd: boolean
}

function planOf({ resource, query, store, random }: WatchSource): Plan {
  const version = versionParameter(query)
  const match = query.get('resourceVersionMatch') ?? ''
  const initial = query.has('sendInitialEvents') ? isTrue(query.get('sendInitialEvents')) : undefined
  if (initial === undefined && match !== '') {
    throw badRequest('resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided')
  }
  if (initial !== undefined && match !== 'NotOlderThan') {
    throw badRequest('resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan')
  }
  if (initial === true && version !== undefined && version > store.resourceVersion) {
    throw tooLargeVersion(version, store.resourceVersion)
  }
  const isFresh = version === undefined || version === 0
  const allowsBookmarks = isTrue(query.get('allowWatchBookmarks'))
  const seconds = wholeNumber(query, 'timeoutSeconds') ?? 0
  return {
    select: selectorOf(resource, query),
    allowsBookmarks,
    durationMs: seconds > 0 ? Math.min(seconds * 1000, 2 ** 31 - 1) : DURATION_MS_MIN + random() * DURATION_MS_SPREAD,
    start: initial === true || (isFresh && initial === undefined) ? 'state' : isFresh ? 'now' : version,
    sendsInitialEnd: initial === true && allowsBookmarks,
  }
}

/**
 * Answers a watch: one JSON event a line until the client leaves, the time is up, or the reader is too
 * slow. The response is begun only when the parameters are good.
 *
 * @throws StatusError: 400 for malformed parameters, 504 for a resourceVersion not reached here.
 */
export function startWatch(source: WatchSource, response: ServerResponse): RunningWatch {
  const plan = planOf(source)
  const encode = encoder(source)
  const pending: Frame[] = []
  let head = 0
  let position = source.store.resourceVersion
  let isEnding = false
  let isClosed = false
  let pendingMax = Number.POSITIVE_INFINITY
  let finish: () => void = () => undefined
  const done = new Promise<void>((resolve) => {
    finish = resolve
  })
  const cancels: (() => void)[] = []

  function push(frame: Frame): void {
    if (isEnding || isClosed) return
    pending.push(frame)
    // The client is asked to begin again rather than kept waiting with ever older events.
    if (pending.length - head > pendingMax) response.destroy()
    else flush()
  }

  function flush(): void {
    if (isClosed) return
    while (head < pending.length && !response.writableNeedDrain) {
      const frame = pending[head]
      head += 1
      if (frame !== undefined) response.write(encode(frame))
    }
    if (head < pending.length) return
    pending.length = 0
    head = 0
    if (isEnding) response.end()
  }

  function close(): void {
    if (isClosed) return
    isClosed = true
    pending.length = 0
    for (const cancel of cancels) cancel()
    finish()
  }

  function end(): void {
    if (isEnding || isClosed) return
    if (plan.allowsBookmarks) push({ type: 'BOOKMARK', version: position, isInitialEnd: false })
    isEnding = true
    flush()
  }

  function bookmarkLater(): void {
    const cancel = source.clock.schedule(BOOKMARK_MS, () => {
      cancels.splice(cancels.indexOf(cancel), 1)
      push({ type: 'BOOKMARK', version: position, isInitialEnd: false })
      if (!isClosed) bookmarkLater()
    })
    cancels.push(cancel)
  }

  response.on('close', close)
  response.on('error', close)
  response.on('drain', flush)
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' })
  response.flushHeaders()
  const frames = (event: ObjectEvent): void => {
    position = Math.max(position, event.resourceVersion)
    const frame = transition(event, plan.select)
    if (frame !== undefined) push(frame)
  }
  position = begin(source, plan, push, frames, cancels, (version) => {
    position = Math.max(position, version)
  })
  pendingMax = pending.length - head + PENDING_EVENTS_MAX
  if (position < 0) {
    isEnding = true
    flush()
    return { end, done }
  }
  cancels.push(source.clock.schedule(plan.durationMs, end))
  if (plan.allowsBookmarks) bookmarkLater()
  return { end, done }
}

/** Sends what there is already and subscribes to what follows. Returns -1 when history is lost. */
function begin(
  { store, resource, namespace }: WatchSource,
  plan: Plan,
  push: (frame: Frame) => void,
  listener: (event: ObjectEvent) => void,
  cancels: (() => void)[],
  onProgress: (version: number) => void,
): number {
  let since = typeof plan.start === 'number' ? plan.start : store.resourceVersion
  if (plan.start === 'state') {
    const list = store.list(resource.id, namespace)
    since = list.resourceVersion
    for (const object of list.items) if (plan.select(object)) push({ type: 'ADDED', object })
    if (plan.sendsInitialEnd) push({ type: 'BOOKMARK', version: since, isInitialEnd: true })
  }
  try {
    if (since > store.resourceVersion) {
      throw new StatusError('Expired', `too new resource version: ${since} (${store.resourceVersion}): it is from another replica or another life of this one`)
    }
    let reached = since
    const unsubscribe = store.watch(resource.id, { namespace, since, onProgress }, (event) => {
      reached = Math.max(reached, event.resourceVersion)
      listener(event)
    })
    cancels.push(unsubscribe)
    return Math.max(reached, since)
  } catch (error) {
    const isExpected = error instanceof ObjectError || error instanceof StatusError
    push({ type: 'ERROR', status: toStatus(isExpected ? error : undefined, () => undefined).body })
    return -1
  }
}

/** What a change of an object means to one who sees only what is selected. */
function transition(event: ObjectEvent, select: Selector): Frame | undefined {
  const isIn = select(event.object)
  if (event.type === 'ADDED') return isIn ? { type: 'ADDED', object: event.object } : undefined
  if (event.type === 'DELETED') return isIn ? { type: 'DELETED', object: event.object } : undefined
  const wasIn = event.previous === undefined ? undefined : select(event.previous)
  if (isIn) return { type: wasIn === false ? 'ADDED' : 'MODIFIED', object: event.object }
  if (wasIn === false) return undefined
  const last = event.previous ?? event.object
  const object = withField(last, ['metadata', 'resourceVersion'], String(event.resourceVersion))
  return { type: 'DELETED', object: object as KubeObject }
}

function encoder(source: WatchSource): (frame: Frame) => string {
  const { resource, answer, clock } = source
  const include = answer.as === 'table' ? includeObject(source.query) : 'Metadata'
  let hasHeader = true
  const table = (objects: readonly KubeObject[], version: string): JsonObject => {
    const body = tableOf({
      resource, objects, metadata: { resourceVersion: version }, include, metaVersion: answer.metaVersion,
      nowMs: clock.wallMs(), hasHeader,
    })
    hasHeader = false
    return body
  }
  return (frame) => {
    if (frame.type === 'ERROR') return line('ERROR', JSON.stringify(frame.status))
    if (frame.type === 'BOOKMARK') {
      const mark = bookmark(resource, frame.version, frame.isInitialEnd, answer)
      return line('BOOKMARK', JSON.stringify(answer.as === 'table' ? table([mark], String(frame.version)) : mark))
    }
    if (answer.as === 'table') {
      return line(frame.type, JSON.stringify(table([frame.object], frame.object.metadata.resourceVersion ?? '')))
    }
    if (answer.as === 'metadata') return line(frame.type, JSON.stringify(metadataOf(frame.object, answer.metaVersion)))
    return line(frame.type, encodeObject(frame.object))
  }
}

function line(type: string, object: string): string {
  return `{"type":"${type}","object":${object}}\n`
}

function bookmark(resource: Resource, version: number, isInitialEnd: boolean, answer: Answer): KubeObject {
  const annotations = isInitialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
  const isMetadata = answer.as === 'metadata'
  return {
    kind: isMetadata ? 'PartialObjectMetadata' : resource.kind,
    apiVersion: isMetadata ? `meta.k8s.io/${answer.metaVersion}` : apiVersionOf(resource),
    metadata: { resourceVersion: String(version), creationTimestamp: null, ...annotations },
  } as unknown as KubeObject
}
