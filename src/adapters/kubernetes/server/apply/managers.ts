import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { at, isObject, listAt, textAt } from '../json.ts'
import { type FieldSet, isEmptySet, setFromJson, setToJson, union } from './field-set.ts'

/** Who set which fields, one entry of metadata.managedFields. */
export interface Manager {
  readonly name: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource: string
  /** RFC 3339, empty where nothing is known. */
  readonly time: string
  readonly fields: FieldSet
}

/** How many entries may come from updates; past that the oldest become one. */
const UPDATERS_MAX = 10
const ANCIENT = 'ancient-changes'

/** The entries of an object; malformed ones are left out. */
export function readManagers(object: JsonObject): readonly Manager[] {
  return listAt(object, 'metadata', 'managedFields').flatMap((entry): Manager[] => {
    const operation = at(entry, 'operation')
    if (!isObject(entry) || (operation !== 'Apply' && operation !== 'Update')) return []
    const fields = setFromJson(entry['fieldsV1'])
    return [
      {
        name: textAt(entry, 'manager'),
        operation,
        apiVersion: textAt(entry, 'apiVersion'),
        subresource: textAt(entry, 'subresource'),
        time: textAt(entry, 'time'),
        fields,
      },
    ]
  })
}

/** What makes two entries the same manager: who applies is the same one in every version. */
export function managerId(manager: Omit<Manager, 'fields' | 'time'>): string {
  const { name, operation, subresource } = manager
  const apiVersion = operation === 'Apply' ? '' : manager.apiVersion
  return JSON.stringify([name, operation, apiVersion, subresource])
}

/**
 * The object with these entries, in the order in which the API shows them; empty ones are dropped.
 */
export function withManagers(object: KubeObject, managers: readonly Manager[]): KubeObject {
  const kept = capped(managers.filter((manager) => !isEmptySet(manager.fields)))
  const order = (manager: Manager): string => `${manager.operation} ${manager.time} ${manager.name}`
  const entries = [...kept].sort((a, b) => (order(a) < order(b) ? -1 : 1)).map(entryOf)
  const { managedFields: _, ...metadata } = object.metadata
  return {
    ...object,
    metadata: (entries.length === 0
      ? metadata
      : { ...metadata, managedFields: entries }) as KubeObject['metadata'],
  }
}

function capped(managers: readonly Manager[]): readonly Manager[] {
  const updaters = managers
    .filter((manager) => manager.operation === 'Update' && manager.subresource === '')
    .sort((a, b) => (a.time < b.time ? -1 : 1))
  if (updaters.length <= UPDATERS_MAX) return managers
  const old = updaters.slice(0, updaters.length - UPDATERS_MAX + 1)
  const last = old[old.length - 1]
  if (last === undefined) return managers
  const merged: Manager = {
    ...last,
    name: ANCIENT,
    fields: old.map((manager) => manager.fields).reduce(union),
  }
  return [...managers.filter((manager) => !old.includes(manager)), merged]
}

function entryOf(manager: Manager): JsonObject {
  const entry: Record<string, Json> = {
    manager: manager.name,
    operation: manager.operation,
    apiVersion: manager.apiVersion,
  }
  if (manager.time !== '') entry['time'] = manager.time
  entry['fieldsType'] = 'FieldsV1'
  entry['fieldsV1'] = setToJson(manager.fields)
  if (manager.subresource !== '') entry['subresource'] = manager.subresource
  return entry
}
