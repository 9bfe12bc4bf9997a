import type { ServerResponse } from 'node:http'
import type { Clock } from '../../../core/interfaces/clock.ts'
import { rowOf } from '../objects/rows.ts'
import type { KubeObject, ObjectEvent, ObjectRow, ObjectStore, Resource } from '../objects/types.ts'
import { ObjectError } from '../objects/types.ts'
import type { Served } from './catalog.ts'
import { withField } from './json.ts'
import {
  isSelective,
  type RowSelector,
  rowsOf,
  selectorOf,
  tooLargeVersion,
  versionParameter,
} from './list.ts'
import type { Answer } from './negotiate.ts'
import { checkListOptions } from './option-checks.ts'
import { isTrue, wholeNumber } from './request.ts'
import { StatusError, toStatus } from './status.ts'
import { ConversionQueue } from './watch-conversion.ts'
import { type Encode, encoder, type Frame, type Part, watchType } from './watch-frames.ts'
import { WatchSink } from './watch-sink.ts'
import type { Converted } from './webhooks/converted-store.ts'

/** How many events may wait for a slow reader, beside those that there were at the start. */
export const PENDING_EVENTS_MAX = 4096

/**
 * How much of what waits is written at once: with the frame that goes past it about a record of TLS. A
 * connection keeps the room that its largest write took.
 */
const PIECE_BYTES = 12 * 1024

/** How often a quiet watch tells how far it is. */
const BOOKMARK_MS = 60_000

/**
 * How long a watch lasts that does not say. Spread, so that clients do not all come back at once.
 */
const DURATION_MS_MIN = 1_800_000
const DURATION_MS_SPREAD = 1_800_000

/** What a watch works with. */
export interface WatchSource {
  readonly store: ObjectStore
  readonly resource: Resource
  readonly served: Pick<Served, 'group' | 'version' | 'conversion' | 'custom'>
  readonly namespace: string | undefined
  readonly query: URLSearchParams
  readonly answer: Answer
  readonly clock: Clock
  /** Between 0 and 1. */
  readonly random: () => number
  /** How long its end may wait for a reader, in milliseconds. */
  readonly stallMs: number
  /** How many bytes of objects may wait for a slow reader, beside those that there were at the start. */
  readonly watchBytesMax: number
  /** Where a webhook converts what is told. */
  readonly converted?: Pick<Converted, 'rows'> | undefined
}

/** A watch that is going on. */
export interface RunningWatch {
  /** Ends it in good order: what is written stays written. */
  end(): void
  /** Resolves once it holds nothing any more. */
  readonly done: Promise<void>
}

interface Plan {
  readonly select: RowSelector
  readonly allowsBookmarks: boolean
  readonly durationMs: number
  readonly start: 'state' | 'now' | number
  readonly sendsInitialEnd: boolean
}

function planOf({ resource, served, query, store, random }: WatchSource): Plan {
  const version = versionParameter(query, true)
  const initial = query.has('sendInitialEvents')
    ? isTrue(query.get('sendInitialEvents'))
    : undefined
  checkListOptions(query, true)
  if (initial === true && version !== undefined && version > store.resourceVersion) {
    throw tooLargeVersion(version, store.resourceVersion)
  }
  const isFresh = version === undefined || version === 0
  const allowsBookmarks = isTrue(query.get('allowWatchBookmarks'))
  const seconds = wholeNumber(query, 'timeoutSeconds') ?? 0
  return {
    select: selectorOf(resource, query, served.conversion),
    allowsBookmarks,
    durationMs:
      seconds > 0
        ? Math.min(seconds * 1000, 2 ** 31 - 1)
        : DURATION_MS_MIN + random() * DURATION_MS_SPREAD,
    start:
      initial === true || (isFresh && initial === undefined) ? 'state' : isFresh ? 'now' : version,
    sendsInitialEnd: initial === true && allowsBookmarks,
  }
}

/**
 * Answers a watch: one JSON event a line until the client leaves, the time is up, or the reader is
 * too slow. The response is begun only when the parameters are good.
 *
 * @throws StatusError: 400 for malformed parameters, 504 for a resourceVersion not reached here.
 */
export function startWatch(source: WatchSource, response: ServerResponse): RunningWatch {
  const stream = new WatchStream(source, planOf(source), response)
  stream.start()
  return { end: () => stream.end(), done: stream.done }
}

/** One watch: what waits to be written, how far it is, and what has to be undone at its end. */
class WatchStream {
  readonly done: Promise<void>
  readonly #source: WatchSource
  readonly #plan: Plan
  readonly #response: ServerResponse
  readonly #sink: WatchSink
  readonly #encode: Encode
  readonly #cancels = new Set<() => void>()
  /** What a webhook has still to convert; undefined where none does. */
  readonly #queue: ConversionQueue | undefined
  /** What there was at the start: the same list for all that begin at the same time. */
  #rows: readonly ObjectRow[] = []
  /** The first of `#rows` that is not written. */
  #row = 0
  #pending: Frame[] = []
  /** The first of `#pending` that is not written. */
  #head = 0
  #pendingMax = Number.POSITIVE_INFINITY
  #pendingBytes = 0
  #pendingBytesMax = Number.POSITIVE_INFINITY
  #position: number
  #state: 'open' | 'ending' | 'closed' = 'open'
  #finish: () => void = () => undefined

  constructor(source: WatchSource, plan: Plan, response: ServerResponse) {
    this.#source = source
    this.#plan = plan
    this.#response = response
    this.#sink = new WatchSink(response, () => this.#flush())
    this.#encode = encoder(source)
    this.#position = source.store.resourceVersion
    this.#queue = this.#queueOf(source)
    this.done = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  start(): void {
    const response = this.#response
    response.on('close', () => this.#close())
    response.writeHead(200, {
      'Content-Type': watchType(this.#source),
      'Cache-Control': 'no-cache, private',
    })
    response.flushHeaders()
    try {
      this.#subscribe(this.#sendState())
    } catch (error) {
      return this.#fail(error)
    }
    this.#pendingMax = this.#pending.length - this.#head + PENDING_EVENTS_MAX
    this.#pendingBytesMax = this.#pendingBytes + this.#source.watchBytesMax
    this.#later(this.#plan.durationMs, () => this.end())
    if (this.#plan.allowsBookmarks) this.#bookmarkLater()
  }

  /** Says what is wrong, as the last thing. */
  #fail(error: unknown): void {
    const isExpected = error instanceof ObjectError || error instanceof StatusError
    const { body } = toStatus(isExpected ? error : undefined, () => undefined)
    this.#push({ type: 'ERROR', status: body })
    this.#queue?.close()
    this.#state = 'ending'
    this.#later(this.#source.stallMs, () => this.#response.destroy())
    this.#flush()
  }

  #queueOf({ converted, watchBytesMax }: WatchSource): ConversionQueue | undefined {
    if (converted === undefined) return undefined
    return new ConversionQueue({
      convert: (rows) => converted.rows(rows),
      hasRoom: () => this.#waiting === 0,
      fail: (error) => this.#fail(asInternal(error)),
      rowsMax: PENDING_EVENTS_MAX,
      bytesMax: watchBytesMax,
    })
  }

  /** Ends it in good order: what waits is still written, but for what is not converted yet. */
  end(): void {
    if (this.#state !== 'open') return
    const isWhole = this.#queue?.isIdle !== false
    if (this.#plan.allowsBookmarks && isWhole) this.#bookmark(false)
    this.#queue?.close()
    this.#state = 'ending'
    this.#later(this.#source.stallMs, () => this.#response.destroy())
    this.#flush()
  }

  /** Sends what there is already, where that is asked for. Returns where changes go on from. */
  #sendState(): number {
    const { store, resource, namespace } = this.#source
    const { start, select, sendsInitialEnd } = this.#plan
    if (start === 'now') return store.resourceVersion
    if (start !== 'state') return start
    const list = store.list(resource.id, namespace)
    const rows = rowsOf(list)
    if (this.#queue === undefined) {
      const selected = rows.filter(select)
      this.#rows = selected.length === rows.length ? rows : selected
      this.#flush()
    } else this.#queue.begin(rows, (row) => select(row) && this.#push({ type: 'ADDED', row }))
    this.#position = list.resourceVersion
    if (sendsInitialEnd) this.#bookmark(true)
    return list.resourceVersion
  }

  #subscribe(since: number): void {
    const { store, resource, namespace } = this.#source
    if (since > store.resourceVersion) {
      throw new StatusError(
        'Expired',
        `too new resource version: ${since} (${store.resourceVersion}): it is of another replica`,
      )
    }
    this.#position = since
    const onProgress = (version: number): void => {
      this.#position = Math.max(this.#position, version)
    }
    const cancel = store.watch(resource.id, { namespace, since, onProgress }, (event) => {
      onProgress(event.resourceVersion)
      this.#tell(event)
    })
    this.#cancels.add(cancel)
  }

  #tell(event: ObjectEvent): void {
    const row = event.row ?? rowOf(event.object)
    if (this.#queue === undefined) return this.#tellRow(event, row, rowBefore(event))
    // What it was before is only asked about where it decides something.
    const before = isSelective(this.#source.query) ? rowBefore(event) : undefined
    this.#convert(before === undefined ? [row] : [row, before], ([after = row, previous]) =>
      this.#tellRow(event, after, previous),
    )
  }

  #tellRow(event: ObjectEvent, after: ObjectRow, before: ObjectRow | undefined): void {
    const frame = transition(event, after, before, this.#plan.select)
    if (frame !== undefined) this.#push(frame)
  }

  #convert(rows: readonly ObjectRow[], tell: (rows: readonly ObjectRow[]) => void): void {
    if (this.#state !== 'open' || this.#queue?.add({ rows, tell }) !== false) return
    this.#response.destroy()
  }

  #push(frame: Frame): void {
    if (this.#state !== 'open') return
    // To a reader that is not behind it goes at once: that is all there is to do for most.
    if (this.#queue === undefined && this.#waiting === 0 && !this.#sink.isFull) {
      return this.#sink.write(this.#encode(frame, true))
    }
    this.#pending.push(frame)
    this.#pendingBytes += bytesOf(frame)
    const isLate =
      this.#pending.length - this.#head > this.#pendingMax ||
      this.#pendingBytes > this.#pendingBytesMax
    // The client is made to begin again rather than kept waiting with ever older events.
    if (isLate) this.#response.destroy()
    else this.#flush()
  }

  #flush(): void {
    if (this.#state === 'closed') return
    while (this.#waiting > 0 && !this.#sink.isFull) this.#sink.write(this.#nextPiece())
    if (this.#waiting > 0) return
    this.#pending = []
    this.#head = 0
    if (this.#state === 'ending') this.#response.end()
    else this.#queue?.resume()
  }

  get #waiting(): number {
    return this.#rows.length - this.#row + this.#pending.length - this.#head
  }

  /** The next frame, and what waits behind it as far as one write is good for. */
  #nextPiece(): readonly Part[] {
    const isAlone = this.#waiting === 1
    const parts: Part[] = []
    let size = 0
    while (size < PIECE_BYTES) {
      const frame = this.#nextFrame()
      if (frame === undefined) break
      for (const part of this.#encode(frame, isAlone)) {
        parts.push(part)
        size += part.length
      }
    }
    return parts
  }

  #nextFrame(): Frame | undefined {
    const row = this.#rows[this.#row]
    if (row !== undefined) {
      this.#row += 1
      return { type: 'ADDED', row }
    }
    this.#rows = []
    this.#row = 0
    const frame = this.#pending[this.#head]
    if (frame === undefined) return undefined
    this.#head += 1
    this.#pendingBytes -= bytesOf(frame)
    return frame
  }

  #close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#queue?.close()
    this.#pending = []
    this.#rows = []
    for (const cancel of this.#cancels) cancel()
    this.#finish()
  }

  #bookmark(isInitialEnd: boolean): void {
    const frame: Frame = { type: 'BOOKMARK', version: this.#position, isInitialEnd }
    if (this.#queue === undefined) this.#push(frame)
    else this.#convert([], () => this.#push(frame))
  }

  #bookmarkLater(): void {
    this.#later(BOOKMARK_MS, () => {
      this.#bookmark(false)
      if (this.#state === 'open') this.#bookmarkLater()
    })
  }

  #later(delayMs: number, task: () => void): void {
    const cancel = this.#source.clock.schedule(delayMs, () => {
      this.#cancels.delete(cancel)
      task()
    })
    this.#cancels.add(cancel)
  }
}

/** What ends a watch is an error of the server, whatever a client that asks once is told. */
function asInternal(error: unknown): unknown {
  return error instanceof StatusError ? new StatusError('InternalError', error.message) : error
}

function bytesOf(frame: Frame): number {
  return 'row' in frame ? frame.row.size : 0
}

/** What a change of an object means to one who sees only what is selected. */
function transition(
  event: ObjectEvent,
  row: ObjectRow,
  before: ObjectRow | undefined,
  select: RowSelector,
): Frame | undefined {
  const { type } = event
  const isIn = select(row)
  if (type !== 'MODIFIED') return isIn ? { type, row } : undefined
  const wasIn = before === undefined ? undefined : select(before)
  if (isIn) return { type: wasIn === false ? 'ADDED' : 'MODIFIED', row }
  if (wasIn === false) return undefined
  const last = (before ?? row).object
  const object = withField(last, ['metadata', 'resourceVersion'], String(event.resourceVersion))
  return { type: 'DELETED', row: rowOf(object as KubeObject) }
}

/** The object before a change that left it there. */
function rowBefore({ type, previous, previousRow }: ObjectEvent): ObjectRow | undefined {
  if (type !== 'MODIFIED') return undefined
  return previousRow ?? (previous === undefined ? undefined : rowOf(previous))
}
