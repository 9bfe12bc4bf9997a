import { AccessError } from '../errors.ts'
import type { CollectionId, Position, ReplicaId } from '../ids.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { PeerLink } from './peer-link.ts'

/** The open links of a replica: by peer, and by collection so that an append looks at nobody else. */
export class LinkTable {
  readonly #all = new Set<PeerLink>()
  readonly #byPeer = new Map<ReplicaId, PeerLink>()
  readonly #byCollection = new Map<CollectionId, Set<PeerLink>>()

  get all(): ReadonlySet<PeerLink> {
    return this.#all
  }

  of(peer: ReplicaId): PeerLink | undefined {
    return this.#byPeer.get(peer)
  }

  /** The established links. */
  get established(): readonly PeerLink[] {
    return [...this.#byPeer.values()]
  }

  add(link: PeerLink): void {
    this.#all.add(link)
    void link.closed.then(() => this.#remove(link))
  }

  /** Called at each `established`: a peer has one link, and the newest is the one that lives. */
  establish(link: PeerLink): void {
    const { peer } = link
    if (peer === undefined) return
    const older = this.#byPeer.get(peer)
    this.#byPeer.set(peer, link)
    if (older !== undefined && older !== link) void older.close()
    for (const collection of link.granted) {
      const links = this.#byCollection.get(collection) ?? new Set()
      links.add(link)
      this.#byCollection.set(collection, links)
    }
  }

  /** Tells every link that shares one of these entries' collections. */
  grew(entries: readonly StoredEntry[], head: Position): void {
    const told = new Set<PeerLink>()
    for (const { collection } of entries) {
      for (const link of this.#byCollection.get(collection) ?? []) told.add(link)
    }
    for (const link of told) link.grew(head)
  }

  /** Ends the links of a peer that may no longer be here. */
  evict(matches: (link: PeerLink) => boolean): void {
    for (const link of this.#all) if (matches(link)) void link.close()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((link) => link.close()))
  }

  #remove(link: PeerLink): void {
    this.#all.delete(link)
    if (link.peer !== undefined && this.#byPeer.get(link.peer) === link)
      this.#byPeer.delete(link.peer)
    for (const collection of link.granted) {
      const links = this.#byCollection.get(collection)
      links?.delete(link)
      if (links?.size === 0) this.#byCollection.delete(collection)
    }
  }
}

/** The error of a connection that came without an authenticated principal. */
export function unauthenticated(): AccessError {
  return new AccessError('ACCESS_UNAUTHENTICATED', 'the transport did not authenticate the peer')
}
