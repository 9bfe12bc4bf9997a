import type { KubeObject, ObjectStore } from 'tideway/adapters/kubernetes/objects'
import { NODE, type NodeSide } from './node-side.ts'

const UID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const TIME = /20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(?:Z|[+-]\d\d:\d\d)/g
const HASH = /\b[0-9a-f]{64}\b/g
/** Of the text of a file. */
const FILE_HASH = /\b[0-9a-f]{32}\b/g
const PORT = /<node address>:\d+/g
const REGISTRY = /127\.0\.0\.1:\d+/g
/** How long something took: what a pull says. */
const TOOK = /in \d[\d.hmµns]* \(\d[\d.hmµns]* including waiting\)/g
/** How an engine's words reach kubelet: gRPC puts its own before them, which says nothing more. */
const GRPC = /rpc error: code = \w+ desc = /g
/** What the pods beside it have asked for, and what the machine has. */
const ROOM = /(used|capacity): \d+/g
const IMAGE_BYTES = /Image size: \d+ bytes/g

/** Takes what differs from run to run out of what there is to see of one pod. */
export class Normalizer {
  readonly #uid: string
  readonly #network: RegExp

  readonly #folder: string
  readonly #agent: RegExp
  readonly #node: string

  /** @param side whose places and addresses are named. */
  constructor(pod: KubeObject, side: Pick<NodeSide, 'containerd' | 'places' | 'store'>) {
    const { network } = side.containerd
    this.#folder = side.places.folder
    // What each agent keeps is in another place.
    this.#agent = new RegExp(`${side.containerd.folder}/(?:kubelet/root|node)(?=/)`, 'g')
    this.#node = nodeAddress(side.store) ?? 'no address'
    this.#uid = pod.metadata.uid ?? ''
    this.#network = new RegExp(`\\b${network.replaceAll('.', '\\.')}\\.\\d+\\b`, 'g')
  }

  /** What an event tells. */
  event(event: KubeObject, uncounted: readonly string[]): Record<string, unknown> {
    const { type, reason, message, count } = event
    const isCounted = count !== 1 && !uncounted.includes(String(reason))
    return { type, reason, message, ...(isCounted ? { count } : {}) }
  }

  /** A value in which what cannot be the same twice is named, not shown. */
  normalize(value: unknown): unknown {
    if (typeof value === 'string') return this.#text(value)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((item) => this.normalize(item))
    return Object.fromEntries(
      Object.entries(value)
        // A time that is not there is null in Go's JSON, and here it is not written.
        .filter(([, item]) => item !== null)
        .map(([key, item]) => [this.#text(key), this.normalize(item)]),
    )
  }

  #text(text: string): string {
    return text
      .replaceAll(this.#uid, '<pod uid>')
      .replaceAll(this.#folder, '<folder>')
      .replace(this.#agent, '<agent>')
      .replaceAll(this.#node, '<node address>')
      .replace(PORT, '<node address>:<port>')
      .replace(UID, '<uid>')
      .replace(TIME, '<time>')
      .replace(HASH, '<hash>')
      .replace(FILE_HASH, '<file hash>')
      .replace(REGISTRY, '<registry>')
      .replace(this.#network, '<address>')
      .replace(TOOK, 'in <time>')
      .replace(GRPC, '')
      .replace(ROOM, '$1: <number>')
      .replace(IMAGE_BYTES, 'Image size: <bytes>')
  }
}

/** The address by which the node is known; undefined before it is there. */
export function nodeAddress(store: Pick<ObjectStore, 'get'>): string | undefined {
  const node = store.get({ resource: 'nodes', name: NODE })
  const { addresses = [] } = (node?.['status'] ?? {}) as {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[]
  }
  return addresses.find(({ type }) => type === 'InternalIP')?.address
}
