import type { DocumentHandle, JsonMap, Position, Replica } from '../../../core/index.ts'
import { translated } from './engine-errors.ts'
import { documentId, type Identity, type Part } from './identity.ts'
import { documentKind } from './kinds.ts'
import { desiredPart, observedPart } from './parts.ts'
import type { KubeObject, Resource } from './types.ts'

/** One edit of a part of an object. */
interface PartEdit {
  /** The collection that a new document comes into. */
  readonly home: string
  readonly from: JsonMap
  readonly to: JsonMap
  readonly author: string | undefined
}

/** A new object. */
interface NewObject {
  /** The collection that it comes into. */
  readonly home: string
  readonly created: KubeObject
  readonly author: string | undefined
}

/**
 * Writes what changed in one part of an object.
 *
 * @returns a position at which it is durable; 0 when nothing changed.
 * @throws ObjectError when it cannot be written.
 */
export async function writePart(
  replica: Replica,
  resource: Resource,
  identity: Identity,
  part: Part,
  { home, from, to, author }: PartEdit,
): Promise<Position> {
  return await translated(identity, async () => {
    await using handle = await open(replica, resource, identity, part, home)
    const written = handle.write(from, to, { message: author })
    await handle.durable()
    return written === undefined ? 0 : replica.head
  })
}

/**
 * Writes both parts of a new object at once: they share an append, and are shown together.
 *
 * @returns a position at which it is durable.
 * @throws ObjectError when it cannot be written.
 */
export async function writeNew(
  replica: Replica,
  resource: Resource,
  identity: Identity,
  { home, created, author }: NewObject,
): Promise<Position> {
  const isReported = resource.status && created['status'] !== undefined
  return await translated(identity, async () => {
    await using observed = isReported
      ? await open(replica, resource, identity, 'observed', home)
      : undefined
    await using desired = await open(replica, resource, identity, 'desired', home)
    // The observed part first: the object is shown when its desired part is there, and is whole by then.
    observed?.write({}, observedPart(created), { message: author })
    const isReportedNow = observed?.durable()
    // Waited for below, also where the other part is refused at once.
    isReportedNow?.catch(() => undefined)
    desired.write({}, desiredPart(resource, created), { message: author })
    await Promise.all([isReportedNow, desired.durable()])
    return replica.head
  })
}

function open(
  replica: Replica,
  resource: Resource,
  identity: Identity,
  part: Part,
  collection: string,
): Promise<DocumentHandle<JsonMap>> {
  const kind = documentKind(resource, part)
  return replica.open<JsonMap>(documentId(identity, part), { kind, collection })
}
