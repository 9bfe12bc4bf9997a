import { mapsAt } from '../../objects/read.ts'
import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { numberAt, textAt } from '../json.ts'
import { AGE, NAME, type Since, since, type TableColumn } from '../table/column.ts'
import { type JsonPath, parsePath } from './json-path.ts'

/**
 * The columns of a version of a definition: the name, then its own ones, or the age where it has none.
 *
 * @param shown an object as this version shows it.
 */
export function columnsOf(
  version: JsonObject,
  shown: (object: KubeObject) => KubeObject,
): readonly TableColumn[] {
  const own = mapsAt(version, 'additionalPrinterColumns')
  if (own.length === 0) return [NAME, { ...AGE, type: 'date' }]
  return [NAME, ...own.map((given) => ownColumn(given, shown))]
}

function ownColumn(given: JsonObject, shown: (object: KubeObject) => KubeObject): TableColumn {
  const text = textAt(given, 'jsonPath')
  const path = parsePath(text)
  const type = textAt(given, 'type')
  const description =
    textAt(given, 'description') ||
    `Custom resource definition column (in JSONPath format): ${text}`
  return {
    name: textAt(given, 'name'),
    type: type as TableColumn['type'],
    format: textAt(given, 'format') as TableColumn['format'],
    description,
    priority: (numberAt(given, 'priority') ?? 0) as TableColumn['priority'],
    cell: (object) => (path === undefined ? null : cellOf(type, path, shown(object))),
  }
}

function cellOf(type: string, path: JsonPath, object: KubeObject): Json | Since {
  const [value] = path.find(object)
  if (value === undefined) return null
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'number':
      return typeof value === 'number' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'date':
      if (typeof value !== 'string') return null
      return Number.isNaN(Date.parse(value)) ? '<invalid>' : since(value)
    default:
      return textOf(value)
  }
}

function textOf(value: Json): string {
  if (typeof value === 'string') return value
  return JSON.stringify(value)
}
