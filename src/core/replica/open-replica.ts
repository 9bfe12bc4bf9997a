import { Documents } from '../document/documents.ts'
import { documentRewriter } from '../document/generation-rewriter.ts'
import { GENESIS_ACTOR, genesisEvent } from '../document/kind.ts'
import type { DocumentId } from '../ids.ts'
import type { Clock } from '../interfaces/clock.ts'
import { EventLog } from '../log/event-log.ts'
import type { DamageRecord } from '../log/records.ts'
import { checkName } from './names.ts'
import type { ReplicaOptions } from './options.ts'
import { Replica } from './replica.ts'
import { type MeasureSink, unmeasured } from './unmeasured.ts'

/**
 * Opens the log of `options.storage` and starts a replica on it.
 *
 * @throws StorageForeignError when the storage belongs to a replica of another name.
 */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
  if (options.name !== undefined) checkName('name', options.name, 128)
  if (options.heapReserveBytes !== undefined) Documents.reserve(options.heapReserveBytes)
  const genesis = new Set<string>()
  for (const kind of options.kinds ?? []) {
    const event = genesisEvent(kind, options.sha256)
    if (event !== undefined) genesis.add(event.header.hash)
  }
  const measuring = options.measuring ?? unmeasured
  const log = await EventLog.open({
    storage: options.storage,
    replica: options.name,
    sha256: options.sha256,
    random: options.random,
    logger: options.logger,
    genesisActor: GENESIS_ACTOR,
    isGenesis: (hash) => genesis.has(hash),
    rewriter: documentRewriter(options.sha256),
    timed: stopwatch(options.clock, measuring.sink),
  })
  const damage = new Map<DocumentId, DamageRecord>()
  for await (const [document, record] of log.repairs.known()) damage.set(document, record)
  return new Replica(options, log, measuring, damage)
}

/** Times appends to the storage. */
function stopwatch(clock: Clock, measures: MeasureSink): (entries: number) => () => void {
  return (entries) => {
    const startMs = clock.monotonicMs()
    return () => measures.stored(entries, (clock.monotonicMs() - startMs) / 1000)
  }
}
