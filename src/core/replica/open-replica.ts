import { prepareAutomerge } from '../document/automerge.ts'
import { Documents } from '../document/documents.ts'
import { documentRewriter } from '../document/generation-rewriter.ts'
import { GENESIS_ACTOR, genesisEvent, genesisMessage } from '../document/kind.ts'
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
  await prepareAutomerge(options.loadAutomerge)
  if (options.heapReserveBytes !== undefined) Documents.reserve(options.heapReserveBytes)
  // First events are made when first met: a replica may know many kinds and keep a few.
  const kinds = new Map(options.kinds?.map((kind) => [genesisMessage(kind), kind]))
  const isGenesis = (hash: string, message: string | undefined): boolean => {
    const kind = kinds.get(message ?? '')
    return kind !== undefined && genesisEvent(kind, options.sha256)?.header.hash === hash
  }
  const measuring = options.measuring ?? unmeasured
  const log = await EventLog.open({
    storage: options.storage,
    replica: options.name,
    sha256: options.sha256,
    random: options.random,
    logger: options.logger,
    genesisActor: GENESIS_ACTOR,
    isGenesis,
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
