import type { Connection } from '../../src/core/interfaces/transport.ts'
import type { WireEntry } from '../../src/core/sync/io.ts'
import type { CloseFrame, EventsFrame, Frame, HelloFrame } from '../../src/core/sync/message.ts'
import { decodeMessage, encodeFrame } from '../../src/core/sync/message-codec.ts'
import type { MemoryHub } from '../../src/transports/memory/index.ts'

type FrameOf<Type extends Frame['type']> = Extract<Frame, { type: Type }>

export interface RawPeerOptions {
  readonly principal: string
  readonly address?: string
  /** A peer that reads nothing leaves everything in the queues of the other side. Default true. */
  readonly reads?: boolean
}

const WAIT_MS = 5_000

/** A peer without a session: it says what a test tells it to say, however wrong, and keeps what it hears. */
export class RawPeer {
  readonly connection: Connection
  readonly frames: Frame[] = []
  readonly heard: Uint8Array[] = []
  readonly #waiting = new Set<() => void>()
  #ended = false

  private constructor(connection: Connection) {
    this.connection = connection
  }

  static async dial(hub: MemoryHub, options: RawPeerOptions): Promise<RawPeer> {
    const transport = hub.transport({ principal: options.principal })
    const peer = new RawPeer(await transport.dial(options.address ?? 'memory:cloud'))
    if (options.reads !== false) void peer.#read()
    return peer
  }

  /** Dials and shakes hands. */
  static async greet(
    hub: MemoryHub,
    options: RawPeerOptions,
    hello: Partial<HelloFrame> = {},
  ): Promise<RawPeer> {
    const peer = await RawPeer.dial(hub, options)
    peer.send(helloFrame(options.principal, hello))
    await peer.next('welcome')
    return peer
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Sends frames as one message. Nothing happens when the other side has closed. */
  send(...frames: readonly Frame[]): void {
    this.sendBytes(Buffer.concat(frames.map((frame) => encodeFrame(frame))))
  }

  sendBytes(bytes: Uint8Array): void {
    try {
      this.connection.send(bytes)
    } catch {
      // The other side has closed: the test looks at why.
    }
  }

  /** The first frame of a type, when it is here. */
  async next<Type extends Frame['type']>(type: Type): Promise<FrameOf<Type>> {
    const found = await this.until(() => this.frames.find((frame) => frame.type === type), type)
    return found as FrameOf<Type>
  }

  /** Why the other side ended the conversation. */
  close(): Promise<CloseFrame> {
    return this.next('close')
  }

  /** Resolves as soon as `look` finds something in what was heard. */
  async until<T>(look: () => T | undefined, what: string): Promise<T> {
    const deadline = performance.now() + WAIT_MS
    for (let found = look(); ; found = look()) {
      if (found !== undefined) return found
      const left = deadline - performance.now()
      if (left <= 0 || this.#ended) throw new Error(`never heard: ${what}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#waiting.add(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  /** Whether these bytes were in anything that was heard. */
  heardText(text: string): boolean {
    return Buffer.concat(this.heard).includes(text)
  }

  async #read(): Promise<void> {
    try {
      for await (const message of this.connection) {
        this.heard.push(message)
        this.frames.push(...(decodeMessage(message).frames ?? []).map(({ frame }) => frame))
        this.#wake()
      }
    } catch {
      // Aborted by the other side.
    }
    this.#ended = true
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }
}

/** A HELLO of a replica that nobody has met. */
export function helloFrame(replica: string, fields: Partial<HelloFrame> = {}): HelloFrame {
  const subscriptions = fields.subscriptions ?? ['open', 'shared']
  return {
    type: 'hello',
    versions: [1],
    replica,
    epoch: '00112233445566aa',
    head: 1_000,
    peerEpoch: undefined,
    cursor: 0,
    acked: 0,
    credit: 1 << 20,
    subscriptions,
    incomplete: subscriptions.map((_, index) => index),
    token: undefined,
    ...fields,
  }
}

/** Entries as one frame that does not move a cursor. */
export function eventsFrame(...entries: readonly WireEntry[]): EventsFrame {
  return { type: 'events', after: 0, upTo: 0, final: false, backfill: undefined, entries }
}

/** An entry as it travels. */
export function wireEntry(
  kind: WireEntry['kind'],
  document: string,
  collection: string,
  bytes: Uint8Array = new Uint8Array(0),
): WireEntry {
  return { kind, document, collection, generation: 1, bytes }
}

/** What do you hold in these collections? */
export function askRanges(collections: readonly string[], question = 1): Frame {
  const range = { from: '', to: undefined, fingerprint: undefined }
  const ranges = collections.map((collection) => ({ collection, ...range }))
  return { type: 'ask-ranges', question, ranges }
}

/** Send all that you have of these documents of `open`. */
export function askEntries(documents: readonly string[], question = 2): Frame {
  const nothing = { home: 'none', generation: 0, moves: 0, names: new Uint8Array(0) } as const
  const states = documents.map((document) => ({ document, ...nothing }))
  return { type: 'ask-entries', question, collection: 'open', documents: states }
}
