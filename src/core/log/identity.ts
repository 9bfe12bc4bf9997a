import { toHex } from '../bytes.ts'
import { InvariantError, isTidewayError, StorageForeignError } from '../errors.ts'
import type { DocumentId, ReplicaId } from '../ids.ts'
import type { Random } from '../interfaces/clock.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { Put, Storage } from '../interfaces/storage.ts'
import { EPOCHS_MAX } from './authors.ts'
import { Digest, digestTerm } from './digest.ts'
import { fromRecord, type StoredEntry } from './entry.ts'
import { readEvent } from './event.ts'
import { homePuts } from './homes.ts'
import { DOCUMENT_PREFIX, documentKey, IDENTITY_KEY, rejectedPrefix } from './keys.ts'
import { countingEntries, eventBytes } from './lineage.ts'
import { type DocumentRecord, decodeRecord, encodeRecord, type Identity } from './records.ts'

/** What {@link openIdentity} needs. */
export interface IdentityOptions {
  readonly storage: Storage
  readonly replica?: ReplicaId | undefined
  readonly sha256: Sha256
  readonly random: Random
  readonly logger?: Logger | undefined
}

/** Documents whose records are rewritten in one append. */
const UPGRADE_AT_ONCE = 1_000

const PAGE_BYTES_MAX = 1 << 20

/**
 * Whose log a storage holds. An empty storage gets its identity; one in an older format is brought up to
 * date, which costs one reading of it and can be interrupted at any time.
 *
 * @throws StorageForeignError when the storage belongs to another replica than `options.replica`.
 */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { storage } = options
  const revision = await storage.revision?.()
  const [bytes] = await storage.get([IDENTITY_KEY])
  if (bytes === undefined) return await found(options, revision)
  const identity = decodeRecord<Identity>(bytes, 'epoch')
  if (options.replica !== undefined && options.replica !== identity.replica) {
    throw new StorageForeignError('the storage belongs to another replica', {
      wanted: options.replica,
      found: identity.replica,
    })
  }
  return identity.format === 1 ? await upgrade(options, identity) : identity
}

async function found(options: IdentityOptions, revision: number | undefined): Promise<Identity> {
  const random = new Uint8Array(16)
  options.random.fill(random)
  const identity: Identity = {
    format: 2,
    replica: options.replica ?? toHex(random.subarray(8)),
    epoch: toHex(random.subarray(0, 8)),
  }
  const puts = [{ key: IDENTITY_KEY, value: encodeRecord(identity) }]
  try {
    await options.storage.append({ records: [], puts, expectedRevision: revision })
  } catch (error) {
    // Another opener of the same empty storage was first: its identity counts.
    if (isTidewayError(error) && error.code === 'STORAGE_CONFLICT') return openIdentity(options)
    throw error
  }
  return identity
}

/** Writes down that a log goes on under another epoch. Durable when it resolves. */
export async function renewIdentity(storage: Storage, random: Random): Promise<Identity> {
  const [bytes] = await storage.get([IDENTITY_KEY])
  if (bytes === undefined) throw new InvariantError('a log that is open has an identity')
  const fresh = new Uint8Array(8)
  random.fill(fresh)
  const before = decodeRecord<Identity>(bytes, 'epoch')
  // What was written under them stays this replica's own, also when the log is opened again.
  const former = [...(before.former ?? []), before.epoch].slice(1 - EPOCHS_MAX)
  const identity: Identity = { ...before, epoch: toHex(fresh), former }
  await write(storage, [{ key: IDENTITY_KEY, value: encodeRecord(identity) }])
  return identity
}

/** Format 1 to 2: gives every document its digest and its place in the index by home. */
async function upgrade(options: IdentityOptions, identity: Identity): Promise<Identity> {
  const { storage, logger } = options
  logger?.info('the log is being brought up to date', { from: identity.format, to: 2 })
  let puts: Put[] = []
  for await (const { key, value } of storage.scan(DOCUMENT_PREFIX)) {
    const document = key.slice(DOCUMENT_PREFIX.length)
    const record = decodeRecord<DocumentRecord>(value, 'last')
    const digest = await digestOf(options, document, record)
    puts.push({ key: documentKey(document), value: encodeRecord({ ...record, digest }) })
    puts.push(...homePuts(document, undefined, record))
    if (puts.length < UPGRADE_AT_ONCE) continue
    await write(storage, puts)
    puts = []
  }
  const upgraded: Identity = { ...identity, format: 2 }
  await write(storage, [...puts, { key: IDENTITY_KEY, value: encodeRecord(upgraded) }])
  return upgraded
}

async function write(storage: Storage, puts: readonly Put[]): Promise<void> {
  await storage.append({ records: [], puts })
}

async function digestOf(
  options: IdentityOptions,
  document: DocumentId,
  record: DocumentRecord,
): Promise<Uint8Array> {
  const { sha256 } = options
  const digest = new Digest()
  const add = (name: string): void =>
    digest.add(digestTerm(document, record.generation, name, sha256))
  if (!record.left) {
    const events = eventBytes(await entriesOf(options.storage, document))
    for (const bytes of events) add(readEvent(bytes, sha256).hash)
    if (record.deleted) add('tombstone')
  }
  return digest.bytes()
}

async function entriesOf(storage: Storage, document: DocumentId): Promise<readonly StoredEntry[]> {
  const refused = new Set<string>()
  const prefix = rejectedPrefix(document)
  for await (const { key } of storage.scan(prefix)) refused.add(key.slice(prefix.length))
  const entries: StoredEntry[] = []
  for (let after = 0; ; ) {
    const page = await storage.read({ document, after, bytesMax: PAGE_BYTES_MAX })
    entries.push(...page.records.map(fromRecord))
    if (page.end) return countingEntries(entries, refused)
    after = page.upTo
  }
}
