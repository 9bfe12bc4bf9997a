import { compareUtf8, equalBytes } from '../bytes.ts'
import type { DocumentId } from '../ids.ts'
import { RANGE_DOCUMENTS_TARGET, RANGE_PARTS_TARGET } from '../sync/limits.ts'
import type {
  DocumentMark,
  DocumentRange,
  RangeAnswer,
  RangePart,
  RangeQuestion,
} from '../sync/reconcile-frames.ts'
import type { Comparison, Difference, ReconcileResult } from '../sync/reconcile-steps.ts'
import { type LinkView, termOf } from './link-digest.ts'

/** Differences that one step finds at most: the rest is looked at in the next. */
const DIFFERENCES_MAX = 1_000

/** What one document costs in an answer, beside its name. */
const MARK_BYTES = 12

/** The low 64 bits of a digest: sums of them are sums of digests too. */
function fingerprintOf(digest: Uint8Array): bigint {
  return new DataView(digest.buffer, digest.byteOffset, digest.length).getBigUint64(8)
}

function bytesOf(fingerprint: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, fingerprint)
  return bytes
}

interface Counted {
  readonly id: DocumentId
  readonly fingerprint: bigint
  /** How many documents and entries were looked at: what the peer refused has to be read. */
  readonly cost: number
}

/** The documents of a range with their fingerprints, as far as this link counts them. */
async function* fingerprints(view: LinkView, range: DocumentRange): AsyncIterable<Counted> {
  for await (const { id, record } of view.log.documentsAt(range.collection, range)) {
    const left = await leftOut(view, id)
    const cost = view.kept.of(id) === undefined ? 1 : 1 + record.entries
    yield { id, fingerprint: BigInt.asUintN(64, fingerprintOf(record.digest) - left), cost }
  }
}

/** What the peer refused of a document, as a part of its fingerprint. */
async function leftOut({ log, kept, sha256 }: LinkView, id: DocumentId): Promise<bigint> {
  const refused = kept.of(id)
  if (refused === undefined) return 0n
  let sum = 0n
  for (const entry of await log.readDocument(id)) {
    if (entry.hash !== undefined && refused.has(entry.hash)) sum += termOf(entry, sha256) ?? 0n
  }
  return sum
}

/** The first questions: whole collections with their fingerprints. */
export async function beginRanges(
  view: LinkView,
  collections: readonly string[],
): Promise<ReconcileResult> {
  const ranges: RangeQuestion[] = []
  for (const collection of collections) {
    const digest = await view.log.digest([collection])
    await view.kept.each(view.log, [collection], (entry) =>
      digest.subtract(termOf(entry, view.sha256) ?? 0n),
    )
    const fingerprint = digest.bytes().slice(8)
    ranges.push({ collection, from: '', to: undefined, fingerprint })
  }
  return { type: 'begin', ranges }
}

/** What we hold in the first of some ranges: at least one, until the answers reach `bytesMax`. */
export async function answerRanges(
  view: LinkView,
  ranges: readonly RangeQuestion[],
  bytesMax: number,
): Promise<ReconcileResult> {
  const answers: RangeAnswer[] = []
  let bytes = 0
  let cost = 0
  for (const range of ranges) {
    const { answer, cost: spent } = await answerRange(view, range)
    const size = sizeOf(answer)
    cost += spent
    if (answers.length > 0 && bytes + size > bytesMax) break
    bytes += size
    answers.push(answer)
  }
  return { type: 'ranges', answers, cost }
}

function sizeOf(answer: RangeAnswer): number {
  if (answer.kind === 'equal') return 1
  const names =
    answer.kind === 'parts'
      ? answer.parts.map((part) => part.to ?? '')
      : answer.documents.map((mark) => mark.document)
  return names.reduce((sum, name) => sum + name.length * 3 + MARK_BYTES, 8)
}

async function answerRange(
  view: LinkView,
  range: RangeQuestion,
): Promise<{ readonly answer: RangeAnswer; readonly cost: number }> {
  const marks: DocumentMark[] = []
  const buckets = new Buckets()
  let sum = 0n
  let cost = 0
  for await (const { id, fingerprint, cost: spent } of fingerprints(view, range)) {
    cost += spent
    sum = BigInt.asUintN(64, sum + fingerprint)
    buckets.add(id, fingerprint)
    if (marks.length <= RANGE_DOCUMENTS_TARGET)
      marks.push({ document: id, fingerprint: bytesOf(fingerprint) })
  }
  const isEqual = range.fingerprint !== undefined && equalBytes(range.fingerprint, bytesOf(sum))
  if (isEqual) return { answer: { kind: 'equal' }, cost }
  if (marks.length <= RANGE_DOCUMENTS_TARGET)
    return { answer: { kind: 'documents', documents: marks }, cost }
  return { answer: { kind: 'parts', parts: buckets.parts(range.to) }, cost }
}

interface Bucket {
  readonly first: DocumentId
  last: DocumentId
  count: number
  sum: bigint
}

/** Splits documents that come in order into parts of about the same size, however many come. */
class Buckets {
  #buckets: Bucket[] = []
  #size = 1

  add(id: DocumentId, fingerprint: bigint): void {
    const current = this.#buckets.at(-1)
    if (current !== undefined && current.count < this.#size) {
      current.last = id
      current.count += 1
      current.sum += fingerprint
      return
    }
    if (this.#buckets.length === 2 * RANGE_PARTS_TARGET) this.#halve()
    const last = this.#buckets.at(-1)
    if (last !== undefined && last.count < this.#size) return this.add(id, fingerprint)
    this.#buckets.push({ first: id, last: id, count: 1, sum: fingerprint })
  }

  #halve(): void {
    const halved: Bucket[] = []
    for (const [index, bucket] of this.#buckets.entries()) {
      const before = halved.at(-1)
      if (index % 2 === 0 || before === undefined) halved.push(bucket)
      else {
        before.last = bucket.last
        before.count += bucket.count
        before.sum += bucket.sum
      }
    }
    this.#buckets = halved
    this.#size *= 2
  }

  parts(end: DocumentId | undefined): readonly RangePart[] {
    return this.#buckets.map((bucket, index) => {
      const next = this.#buckets[index + 1]
      const to = next === undefined ? end : between(bucket.last, next.first)
      return { to, fingerprint: bytesOf(BigInt.asUintN(64, bucket.sum)) }
    })
  }
}

/** The shortest beginning of `b` that is past `a`, which is before `b`. */
function between(a: DocumentId, b: DocumentId): DocumentId {
  let prefix = ''
  for (const character of b) {
    prefix += character
    if (compareUtf8(a, prefix) < 0) return prefix
  }
  return b
}

/** Where we differ from what the peer holds in some ranges. */
export async function compareRanges(
  view: LinkView,
  compares: readonly Comparison[],
): Promise<ReconcileResult> {
  const ranges: RangeQuestion[] = []
  const differences: Difference[] = []
  const rest: Comparison[] = []
  for (const comparison of compares) {
    const { range, answer } = comparison
    if (answer.kind === 'parts') ranges.push(...(await compareParts(view, range, answer.parts)))
    if (answer.kind !== 'documents') continue
    if (differences.length >= DIFFERENCES_MAX) rest.push(comparison)
    else {
      const left = await compareDocuments(view, range, answer.documents, differences)
      if (left !== undefined) rest.push(left)
    }
  }
  return { type: 'compare', ranges, differences, rest }
}

async function compareParts(
  view: LinkView,
  range: RangeQuestion,
  parts: readonly RangePart[],
): Promise<readonly RangeQuestion[]> {
  const sums = parts.map(() => 0n)
  let index = 0
  for await (const { id, fingerprint } of fingerprints(view, range)) {
    for (let to = parts[index]?.to; to !== undefined && compareUtf8(id, to) >= 0; ) {
      index += 1
      to = parts[index]?.to
    }
    sums[index] = BigInt.asUintN(64, (sums[index] ?? 0n) + fingerprint)
  }
  const { collection } = range
  return parts.flatMap(({ to, fingerprint }, part): readonly RangeQuestion[] => {
    if (equalBytes(fingerprint, bytesOf(sums[part] ?? 0n))) return []
    const from = part === 0 ? range.from : (parts[part - 1]?.to ?? range.from)
    return [{ collection, from, to, fingerprint: undefined, depth: (range.depth ?? 0) + 1 }]
  })
}

/** Adds the documents that differ; returns what is left when they are many. */
async function compareDocuments(
  view: LinkView,
  range: RangeQuestion,
  marks: readonly DocumentMark[],
  differences: Difference[],
): Promise<Comparison | undefined> {
  const { collection } = range
  let index = 0
  for await (const { id, fingerprint } of fingerprints(view, range)) {
    if (differences.length >= DIFFERENCES_MAX) {
      const documents = marks.slice(index)
      return { range: { ...range, from: id }, answer: { kind: 'documents', documents } }
    }
    for (let mark = marks[index]; mark !== undefined; mark = marks[index]) {
      if (compareUtf8(mark.document, id) >= 0) break
      differences.push({ collection, document: mark.document })
      index += 1
    }
    const mark = marks[index]
    const isSame = mark?.document === id
    if (isSame) index += 1
    if (isSame && equalBytes(mark.fingerprint, bytesOf(fingerprint))) continue
    differences.push({ collection, document: id })
  }
  for (const { document } of marks.slice(index)) differences.push({ collection, document })
  return undefined
}
