import { AccessError } from '../errors.ts'
import type { CollectionId, Position, ReplicaId } from '../ids.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { SessionClose } from '../sync/io.ts'
import type { PeerLink } from './peer-link.ts'

/** How long the side whose connection is not needed leaves the other one alone. */
const SPARE_RETRY_MS = 30_000

/** The end of a connection to a peer that has another one. */
export const SPARE: SessionClose = {
  code: 'LOCAL',
  message: 'another connection between the two replicas is kept',
  retryable: true,
  retryAfterMs: SPARE_RETRY_MS,
}

/** The end of a connection under a name that is another's. It may be free when that one is gone. */
export const NAME_TAKEN: SessionClose = {
  code: 'ACCESS_DENIED',
  message: 'another principal is connected as this replica',
  retryable: true,
  retryAfterMs: SPARE_RETRY_MS,
}

/** The open links of a replica: by peer, and by collection so that an append looks at nobody else. */
export class LinkTable {
  readonly #self: ReplicaId
  readonly #all = new Set<PeerLink>()
  readonly #byPeer = new Map<ReplicaId, PeerLink>()
  readonly #byCollection = new Map<CollectionId, Set<PeerLink>>()

  constructor(self: ReplicaId) {
    this.#self = self
  }

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

  /**
   * Why a link may not be the one of `peer`: the name belongs to another principal while that is
   * connected, or both dialled each other and the other link is the one that is kept.
   */
  objection(link: PeerLink, peer: ReplicaId): SessionClose | undefined {
    const older = this.#byPeer.get(peer)
    if (older === undefined || older === link) return undefined
    if (older.principal !== link.principal) return NAME_TAKEN
    return this.#keeps(older, peer) && !this.#keeps(link, peer) ? SPARE : undefined
  }

  /**
   * Called at each `established` of a link without an {@link objection}: a peer has one link. Of two in
   * the same direction the newest lives, as the older one may be dead without knowing it.
   */
  establish(link: PeerLink): void {
    const { peer } = link
    if (peer === undefined) return
    const older = this.#byPeer.get(peer)
    this.#byPeer.set(peer, link)
    if (older !== undefined && older !== link) {
      if (older.role === link.role) void older.close()
      else older.refuse(SPARE)
    }
    for (const collection of link.granted) {
      const links = this.#byCollection.get(collection) ?? new Set()
      links.add(link)
      this.#byCollection.set(collection, links)
    }
  }

  /** Tells every link that shares one of these entries' collections whether some are new to its peer. */
  grew(entries: readonly StoredEntry[], head: Position): void {
    const told = new Map<PeerLink, boolean>()
    for (const { collection, from } of entries) {
      for (const link of this.#byCollection.get(collection) ?? []) {
        const isNews = from === undefined || from !== link.peer
        if (isNews || !told.has(link)) told.set(link, isNews)
      }
    }
    for (const [link, isNews] of told) link.grew(head, isNews)
  }

  /** Ends every link with a reason that the peers are told. */
  refuse(reason: SessionClose): void {
    for (const link of [...this.#all]) link.refuse(reason)
  }

  /** Asks every peer for what it has of these collections and we lack. */
  reconcile(collections: readonly CollectionId[]): void {
    for (const link of this.established) link.reconcile(collections)
  }

  /** Ends the links of a peer that may no longer be here. */
  evict(matches: (link: PeerLink) => boolean): void {
    for (const link of this.#all) if (matches(link)) void link.close()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((link) => link.close()))
  }

  /** Of two replicas that dial each other, the connection of the one with the smaller name is kept. */
  #keeps(link: PeerLink, peer: ReplicaId): boolean {
    return (link.role === 'dialer') === this.#self < peer
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
