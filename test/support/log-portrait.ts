import { createHash } from 'node:crypto'
import { GENESIS_ACTOR } from '../../src/core/document/kind.ts'
import type { Storage } from '../../src/core/interfaces/storage.ts'
import { EventLog } from '../../src/core/log/event-log.ts'
import {
  consoleLogger,
  createReplica,
  type DocumentKind,
  type JsonValue,
  systemRandom,
} from '../../src/index.ts'
import { nodeSha256 } from '../../src/node/index.ts'

/** A kind with everything that merges in a way of its own. */
export const SHEET_KIND: DocumentKind = {
  name: 'sheet/v1',
  shape: {
    type: 'map',
    fields: {
      total: { type: 'counter' },
      tags: { type: 'set' },
      rows: { type: 'list', keys: ['name'] },
      options: { type: 'map' },
    },
  },
  skeleton: ['options', 'tags', 'rows'],
}

/** The collections that the portraits count. */
export const COLLECTIONS: readonly string[] = ['notes', 'archive', 'fixed', 'hidden', 'local']

/** All that a replica shows of what its storage keeps, in plain JSON. */
export interface LogPortrait {
  readonly name: string
  readonly epoch: string
  readonly actor: string
  readonly head: number
  readonly digests: Readonly<Record<string, string>>
  readonly documents: readonly JsonValue[]
  readonly rejected: readonly JsonValue[]
  readonly peers: readonly JsonValue[]
  /** One line an entry: position, kind, document, collection, deliverer, hash, digest of the payload. */
  readonly entries: readonly string[]
}

/** Opens a storage twice, one after the other, and says what a replica sees in it. */
export async function portrait(
  open: () => Promise<Storage>,
  peers: readonly string[],
): Promise<LogPortrait> {
  const seen = await withReplica(await open())
  return { ...seen, peers: await peersOf(await open(), peers) }
}

async function withReplica(storage: Storage): Promise<Omit<LogPortrait, 'peers'>> {
  const sha256 = nodeSha256()
  const logger = consoleLogger('silent')
  const replica = await createReplica({ storage, sha256, logger, kinds: [SHEET_KIND] })
  try {
    const documents: JsonValue[] = []
    for await (const { id, record } of replica.documents()) {
      const handle = await replica.open(id)
      const { collection, generation, last, entries, bytes, deleted, left, fork } = record
      documents.push({
        id,
        record: { collection, generation, last, entries, bytes, deleted, left, fork },
        value: handle.value,
        heads: [...handle.heads],
        deleted: handle.deleted,
        missing: [...handle.missing],
        damaged: [...handle.damaged],
      })
      await handle.close()
    }
    const rejected: JsonValue[] = []
    for await (const { document, hash, code, message, peer, atMs, bytes } of replica.rejected()) {
      rejected.push({ document, hash, code, message, peer, atMs, bytes: digestOf(bytes) })
    }
    const { entries } = await replica.readLog({ after: 0, bytesMax: 1e9 })
    const digests: Record<string, string> = {}
    for (const each of COLLECTIONS) digests[each] = await replica.digest([each])
    const { name, epoch, actor, head } = replica
    const lines = entries.map(({ position, kind, document, collection, from, hash, bytes }) =>
      [position, kind, document, collection, from ?? '-', hash ?? '-', digestOf(bytes)].join(' '),
    )
    return { name, epoch, actor, head, digests, documents, rejected, entries: lines }
  } finally {
    await replica.close()
  }
}

async function peersOf(storage: Storage, peers: readonly string[]): Promise<readonly JsonValue[]> {
  const log = await EventLog.open({
    storage,
    sha256: nodeSha256(),
    random: systemRandom,
    genesisActor: GENESIS_ACTOR,
    isGenesis: () => false,
  })
  try {
    return peers.map((name) => {
      const state = log.peer(name)
      if (state === undefined) return { replica: name, known: false }
      const { replica, epoch, cursor, acked, complete } = state
      return { replica, epoch: epoch ?? '', cursor, acked, complete: [...complete] }
    })
  } finally {
    await log.close()
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}
