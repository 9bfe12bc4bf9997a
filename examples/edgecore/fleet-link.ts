import {
  CLOUD,
  DialError,
  isTidewayError,
  type Logger,
  type Replica,
  systemClock,
  type Transport,
  type Uplink,
  type UplinkStatus,
} from 'tideway'
import { namespaceCollection, type ObjectStore } from 'tideway/adapters/kubernetes/objects'
import { nodeWebSocket } from 'tideway/transports/websocket/server'
import { firstCollections, nodeNameOf, SECRET_USERS, secretsOf } from '../shared/fleet-rules.ts'
import { CLOUD_NAME, SYNC_PATH } from '../shared/join-exchange.ts'
import { type Address, addressText } from '../shared/settings.ts'
import type { NodeIdentity } from './node-identity.ts'

/** What the protocol allows in one HELLO, with room for what is added while connected. */
const COLLECTIONS_MAX = 1_000
/** A collection that the cloud does not share yet is asked for again after this, doubled each time. */
const ASK_AGAIN_MS = 200
const ASK_AGAIN_MS_MAX = 5_000
/** When the cloud says that dialling is of no use, it may still have been wrong. */
const DIAL_AGAIN_MS = 60_000
/** Tells a node that waits for its next attempt to dial at once. */
const DIAL_NOW = 'SIGUSR2'

export interface FleetLinkOptions {
  readonly identity: NodeIdentity
  readonly addresses: readonly Address[]
  readonly replica: Replica
  readonly store: ObjectStore
  readonly logger: Logger
  readonly onStatus: (status: UplinkStatus) => void
  /** The cloud does not accept the node's certificate. */
  readonly onRefused: () => void
}

/**
 * Keeps the node connected to its cloud, and shares what the node needs: what is there for all, every
 * namespace, and the secrets that its pods refer to.
 */
export class FleetLink {
  readonly #options: FleetLinkOptions
  readonly #wanted = new Set<string>()
  readonly #cancels: (() => void)[] = []
  #uplink: Uplink | undefined
  #askAgain: (() => void) | undefined
  #askAgainMs = ASK_AGAIN_MS
  #dialAgain: (() => void) | undefined

  constructor(options: FleetLinkOptions) {
    this.#options = options
    for (const resource of ['namespaces', ...SECRET_USERS]) {
      this.#cancels.push(options.store.watch(resource, {}, () => this.#refresh()))
    }
    this.#collect()
    this.#connect()
    process.on(DIAL_NOW, this.#dialNow)
    this.#cancels.push(() => process.off(DIAL_NOW, this.#dialNow))
  }

  /** Dials no more and says goodbye. */
  async close(): Promise<void> {
    for (const cancel of this.#cancels) cancel()
    this.#askAgain?.()
    this.#dialAgain?.()
    await this.#uplink?.close()
  }

  readonly #dialNow = (): void => this.#uplink?.retryNow()

  #connect(): void {
    const { replica, identity, addresses } = this.#options
    this.#uplink = replica.connect({
      transport: inTurn(addresses, identity),
      address: syncAddress(addresses[0] as Address),
      collections: [...this.#wanted],
      principal: CLOUD,
    })
    this.#cancels.push(this.#uplink.onStatus((status) => this.#onStatus(status)))
  }

  #onStatus(status: UplinkStatus): void {
    const { logger, onStatus, onRefused } = this.#options
    onStatus(status)
    if (status.type === 'connected') {
      logger.info('connected to the cloud', {})
      this.#askAgainMs = ASK_AGAIN_MS
      this.#askLater()
    }
    if (status.type !== 'stopped' || status.error === undefined) return
    if (isTidewayError(status.error) && status.error.fields['status'] === 401) return onRefused()
    logger.error('the cloud ended the connection for good', {
      error: status.error,
      dialAgainMs: DIAL_AGAIN_MS,
    })
    this.#dialAgain = systemClock.schedule(DIAL_AGAIN_MS, () => this.#connect())
  }

  #refresh(): void {
    const before = this.#wanted.size
    this.#collect()
    if (this.#wanted.size === before) return
    this.#uplink?.subscribe([...this.#wanted])
    this.#askAgainMs = ASK_AGAIN_MS
    this.#askLater()
  }

  #collect(): void {
    const { store, identity, logger } = this.#options
    const found = [...firstCollections(identity.node)]
    for (const { metadata } of store.list('namespaces').items)
      found.push(namespaceCollection(metadata.name))
    for (const resource of SECRET_USERS) {
      for (const object of store.list(resource).items) {
        if (nodeNameOf(resource, object) === identity.node)
          found.push(...secretsOf(resource, object))
      }
    }
    for (const collection of found) {
      if (this.#wanted.has(collection)) continue
      if (this.#wanted.size < COLLECTIONS_MAX) this.#wanted.add(collection)
      else
        logger.error('the node needs more than one connection carries', {
          collection,
          max: COLLECTIONS_MAX,
        })
    }
  }

  /** The cloud may learn why we need a secret only after we asked for it: then we ask once more. */
  #askLater(): void {
    this.#askAgain?.()
    this.#askAgain = systemClock.schedule(this.#askAgainMs, () => {
      const peer = this.#options.replica.peers().find(({ principal }) => principal === CLOUD)
      if (peer === undefined) return
      const missing = [...this.#wanted].filter(
        (collection) => !peer.collections.includes(collection),
      )
      if (missing.length === 0) return
      this.#uplink?.link?.subscribe(missing)
      this.#askAgainMs = Math.min(this.#askAgainMs * 2, ASK_AGAIN_MS_MAX)
      this.#askLater()
    })
  }
}

function syncAddress(address: Address): string {
  return `wss://${addressText(address)}${SYNC_PATH}`
}

/** Dials the addresses one after the other, each with the credentials of the node. */
function inTurn(addresses: readonly Address[], { ca, certificate, key }: NodeIdentity): Transport {
  const transport = nodeWebSocket({
    credentials: { ca, cert: certificate, key, servername: CLOUD_NAME },
  })
  let next = 0
  return {
    ...transport,
    dial: (_address, options) => {
      const address = addresses[next % addresses.length]
      next += 1
      if (address === undefined)
        throw new DialError('there is no address to dial', { retryable: false })
      return transport.dial(syncAddress(address), options)
    },
  }
}
