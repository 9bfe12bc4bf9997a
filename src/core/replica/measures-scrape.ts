import type { Cancel } from '../interfaces/clock.ts'
import type { Gauge, Metrics } from '../interfaces/metrics.ts'
import type { Measures } from './measures.ts'
import type { StatusSources } from './status.ts'

/** Uplinks that have a series of their own. */
const UPLINKS_MAX = 32

/** Registers what is looked up only when somebody reads the measures. Undone by the returned function. */
export function measureOnScrape(
  metrics: Metrics,
  measures: Measures,
  sources: StatusSources,
): Cancel {
  const gauge = (name: string, help: string, labels?: readonly string[]): Gauge =>
    metrics.gauge({ name, help, labels })
  const queued = gauge('log_queue', 'Writes that wait for the storage.')
  const head = gauge('log_head', 'The newest position of the log.')
  const size = gauge('log_bytes', 'About how many bytes the storage takes.')
  const documents = gauge('loaded_documents', 'Documents that are loaded.')
  const memory = gauge('loaded_document_bytes', 'Bytes of loaded documents, by estimate.')
  const waiting = gauge('waiting_events', 'Events that are stored and wait for others.')
  const peers = gauge('connected_peers', 'Peers that are connected.')
  const shaking = gauge('handshakes', 'Connections whose peer is not known yet.')
  const quarantined = gauge('quarantined_actors', 'Writers whose events are refused.')
  const uplinks = gauge('uplink_connected', '1 while the uplink is connected, 0 otherwise.', [
    'address',
  ])
  return metrics.onScrape(async () => {
    const { log, connections } = sources
    queued.set(log.queued)
    head.set(log.head)
    const usage = sources.documents.usage
    documents.set(usage.documents)
    memory.set(usage.bytes)
    quarantined.set(log.authors.quarantined.length)
    peers.set(connections.links.established.length)
    shaking.set(connections.links.all.size - connections.links.established.length)
    for (const { address, status } of [...connections.uplinks].slice(0, UPLINKS_MAX))
      uplinks.set(status.type === 'connected' ? 1 : 0, { address })
    measurePeers(measures, sources)
    const found = await sources.waiting.find()
    waiting.set(found.reduce((sum, { events }) => sum + events, 0))
    const bytes = await sources.storage.sizeBytes?.()
    if (bytes !== undefined) size.set(bytes)
  })
}

function measurePeers(measures: Measures, { log, lag, connections }: StatusSources): void {
  const links = connections.links.established
  measures.peers.connected(new Set(links.map(({ peer }) => peer ?? '')))
  for (const link of links) {
    const peer = link.peer ?? ''
    measures.peers.carried(peer, connections.meterOf(link))
    const acked = Math.max(link.state?.acked ?? 0, log.peer(peer)?.acked ?? 0)
    measures.peers.is(peer, lag.of(peer, link.granted, acked), link.roundTripMs)
  }
  for (const peer of measures.peers.known) {
    if (connections.links.of(peer) !== undefined) continue
    const state = log.peer(peer)
    if (state === undefined) measures.peers.forget(peer)
    else measures.peers.is(peer, lag.of(peer, state.complete, state.acked), undefined)
  }
}
