import type { KubeObject } from '../../objects/types.ts'
import { conflictError, counted, isOfOtherVersion, type Writer } from '../apply/apply.ts'
import {
  difference,
  existingIn,
  type FieldSet,
  intersection,
  isEmptySet,
  union,
} from '../apply/field-set.ts'
import { type Manager, readManagers, withManagers } from '../apply/managers.ts'
import { changedFields, lostFields } from '../apply/typed-value.ts'
import { apiVersionOf, type Served } from '../catalog.ts'
import type { ConversionWebhook } from '../custom/conversion-webhook.ts'
import { ownedType } from '../custom/owned-type.ts'
import type { Converter } from './converter.ts'

/** What {@link withOtherOwners} works with. */
export interface OtherOwnersSource {
  readonly served: Served
  readonly webhook: ConversionWebhook
  readonly converter: Converter
  readonly refusesConflicts: boolean
}

/**
 * An object after a write, in which those who own fields of its other versions have lost what the write changed
 * there. Who owns something in a version that there is no more owns nothing.
 *
 * @throws StatusError 409 where the request may not take fields from others; 500 when an object cannot be
 * converted.
 */
export async function withOtherOwners(
  { served, webhook, converter, refusesConflicts }: OtherOwnersSource,
  before: KubeObject,
  after: KubeObject,
): Promise<KubeObject> {
  const writer = { apiVersion: apiVersionOf(served), convertedGroup: served.group }
  const managers = readManagers(after)
  const others = managers.filter((manager) => isOfOtherVersion(manager, writer))
  if (others.length === 0) return after
  const changes = new Map<string, Change>()
  for (const { apiVersion } of others) {
    if (changes.has(apiVersion) || !webhook.schemas.has(apiVersion)) continue
    const [was = before] = await converter.convert(webhook, [before], apiVersion)
    const [is = after] = await converter.convert(webhook, [after], apiVersion)
    const type = ownedType(served.kind, webhook.schemas.get(apiVersion))
    changes.set(apiVersion, changeOf(type, was, is))
  }
  const conflicts = others.flatMap((manager) => {
    const { changed } = changes.get(manager.apiVersion) ?? {}
    if (changed === undefined) return []
    const fields = intersection(manager.fields, changed)
    return isEmptySet(fields) ? [] : [{ manager, fields }]
  })
  if (refusesConflicts && conflicts.length > 0) throw conflictError(conflicts)
  const left = managers.flatMap((manager): readonly Manager[] => {
    if (!isOfOtherVersion(manager, writer)) return [manager]
    const change = changes.get(manager.apiVersion)
    if (change === undefined) return []
    const fields = existingIn(difference(manager.fields, change.all), change.object)
    return [{ ...manager, fields }]
  })
  return withManagers(after, left)
}

interface Change {
  readonly changed: FieldSet
  readonly all: FieldSet
  /** As it is afterwards. */
  readonly object: KubeObject
}

const WHOLE: Pick<Writer, 'subresource'> = { subresource: '' }

function changeOf(
  type: ReturnType<typeof ownedType>,
  before: KubeObject,
  after: KubeObject,
): Change {
  const [was, is] = [wholeOf(before), wholeOf(after)]
  const changed = changedFields(type, was, is)
  return { changed, all: union(changed, lostFields(type, was, is)), object: after }
}

/** Everything that can be owned, the status too. */
function wholeOf(object: KubeObject): ReturnType<typeof counted> {
  const { status } = object
  return { ...counted(object, WHOLE), ...(status === undefined ? {} : { status }) }
}
