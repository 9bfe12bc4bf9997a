import { equalValues } from '../../../core/index.ts'
import { mapAt, mapsAt, textAt } from '../objects/read.ts'
import type { Json, JsonObject, KubeObject } from '../objects/types.ts'
import { type NewCondition, setCondition } from './conditions.ts'

// What the status of a definition of a kind says, as kube-apiserver decides it.

/** The names that a kind has, by where they stand in spec.names. */
const RESOURCE_NAMES = ['plural', 'singular'] as const
const KIND_NAMES = ['kind', 'listKind'] as const

const CONFLICTS: Readonly<Record<string, string>> = {
  plural: 'PluralConflict',
  singular: 'SingularConflict',
  shortNames: 'ShortNamesConflict',
  kind: 'KindConflict',
  listKind: 'ListKindConflict',
}

interface Accepted {
  readonly names: JsonObject
  readonly condition: NewCondition
}

/**
 * A definition with the status that it should have: the names that are accepted, whether its kind is
 * served, the versions that objects were stored in.
 *
 * @param others the other definitions of its group.
 * @returns the definition itself when it says so already.
 */
export function withStatus(
  definition: KubeObject,
  others: readonly KubeObject[],
  nowMs: number,
): KubeObject {
  const { names, condition } = acceptedNames(definition, others)
  const named = put(definition, {
    acceptedNames: names,
    storedVersions: storedVersions(definition),
  })
  const conditions = [condition, established(definition, condition)]
  return conditions.reduce((object, next) => setCondition(object, next, nowMs), named)
}

/** A definition that is on its way out says so. */
export function withTermination(
  definition: KubeObject,
  status: 'True' | 'False',
  reason: string,
  message: string,
  nowMs: number,
): KubeObject {
  return setCondition(definition, { type: 'Terminating', status, reason, message }, nowMs)
}

function put(definition: KubeObject, values: JsonObject): KubeObject {
  const { status } = definition as { readonly status?: Json }
  const before = mapAt(definition, 'status') ?? {}
  const after = { ...before, ...values }
  return status !== undefined && equalValues(before, after)
    ? definition
    : { ...definition, status: after }
}

function textsAt(names: JsonObject | undefined, key: string): readonly string[] {
  const list = names?.[key]
  return Array.isArray(list) ? list.filter((item) => typeof item === 'string') : []
}

/** The names of others that are taken: of two that both have one, the older definition keeps it. */
function taken(
  definition: KubeObject,
  others: readonly KubeObject[],
): { readonly resources: ReadonlySet<string>; readonly kinds: ReadonlySet<string> } {
  const resources = new Set<string>()
  const kinds = new Set<string>()
  for (const other of others) {
    const names = mapAt(other, 'status', 'acceptedNames')
    const isMine = isAccepted(definition) && isAccepted(other) && isOlder(definition, other)
    if (isMine) continue
    for (const key of RESOURCE_NAMES) resources.add(textAt(names, key) ?? '')
    for (const name of textsAt(names, 'shortNames')) resources.add(name)
    for (const key of KIND_NAMES) kinds.add(textAt(names, key) ?? '')
  }
  return { resources, kinds }
}

function isAccepted(definition: KubeObject): boolean {
  return mapsAt(definition, 'status', 'conditions').some(
    ({ type, status }) => type === 'NamesAccepted' && status === 'True',
  )
}

function isOlder(a: KubeObject, b: KubeObject): boolean {
  const order = (object: KubeObject): string =>
    `${object.metadata.creationTimestamp ?? ''} ${object.metadata.name}`
  return order(a) < order(b)
}

function acceptedNames(definition: KubeObject, others: readonly KubeObject[]): Accepted {
  const wanted = mapAt(definition, 'spec', 'names') ?? {}
  const had = mapAt(definition, 'status', 'acceptedNames') ?? {}
  const { resources, kinds } = taken(definition, others)
  const names: Record<string, Json> = {}
  let conflict: { readonly reason: string; readonly message: string } | undefined
  const refuse = (key: string, used: readonly string[]): void => {
    const texts = used.map((name) => `${JSON.stringify(name)} is already in use`)
    const message = texts.length > 1 ? `[${texts.join(', ')}]` : (texts[0] ?? '')
    conflict = { reason: CONFLICTS[key] ?? '', message }
  }
  const single = (key: string, used: ReadonlySet<string>): void => {
    const name = textAt(wanted, key)
    const own = textAt(had, key)
    const isFree = name === undefined || !used.has(name)
    if (!isFree) refuse(key, [name])
    const kept = isFree ? name : own
    if (kept !== undefined) names[key] = kept
    else if (key === 'plural' || key === 'kind') names[key] = ''
  }
  single('plural', resources)
  single('singular', resources)
  const used = textsAt(wanted, 'shortNames').filter((name) => resources.has(name))
  if (used.length > 0) refuse('shortNames', used)
  const shortNames = used.length > 0 ? textsAt(had, 'shortNames') : textsAt(wanted, 'shortNames')
  if (shortNames.length > 0) names['shortNames'] = shortNames
  single('kind', kinds)
  single('listKind', kinds)
  const categories = textsAt(wanted, 'categories')
  if (categories.length > 0) names['categories'] = categories
  const condition: NewCondition =
    conflict === undefined
      ? {
          type: 'NamesAccepted',
          status: 'True',
          reason: 'NoConflicts',
          message: 'no conflicts found',
        }
      : { type: 'NamesAccepted', status: 'False', ...conflict }
  return { names, condition }
}

/** A kind that was served once goes on being served. */
function established(definition: KubeObject, names: NewCondition): NewCondition {
  const known = mapsAt(definition, 'status', 'conditions').find(
    ({ type }) => type === 'Established',
  )
  if (known?.['status'] === 'True' || names.status === 'True')
    return {
      type: 'Established',
      status: 'True',
      reason: 'InitialNamesAccepted',
      message: 'the initial names have been accepted',
    }
  return {
    type: 'Established',
    status: 'False',
    reason: 'NotAccepted',
    message: 'not all names are accepted',
  }
}

function storedVersions(definition: KubeObject): readonly string[] {
  const known = textsAt(mapAt(definition, 'status'), 'storedVersions')
  const storage = mapsAt(definition, 'spec', 'versions').find((item) => item['storage'] === true)
  const name = textAt(storage, 'name')
  return name === undefined || known.includes(name) ? known : [...known, name]
}
