import type { Json, JsonObject, KubeObject, Resource } from '../../objects/types.ts'
import { badRequest } from '../status.ts'
import { Since, type TableColumn } from './column.ts'
import { COLUMNS, PLAIN_COLUMNS } from './columns.ts'

/** How much of each object goes along with its row. */
export type IncludeObject = 'None' | 'Metadata' | 'Object'

/** What a Table is made from. */
export interface TableSource {
  readonly resource: Resource
  /** Where the kind has columns of its own. Default: those of the table of columns. */
  readonly columns?: readonly TableColumn[] | undefined
  readonly objects: readonly KubeObject[]
  /** How an object looks in the version asked for. Default: as it is. */
  readonly shown?: ((object: KubeObject) => KubeObject) | undefined
  /** The metadata of the list, or of the one object. */
  readonly metadata: JsonObject
  readonly include: IncludeObject
  readonly metaVersion: 'v1' | 'v1beta1'
  readonly nowMs: number
  /** Column definitions are left out of all events of a watch but the first. */
  readonly hasHeader: boolean
}

/**
 * Reads the includeObject parameter.
 *
 * @throws StatusError 400 when it is none of the three.
 */
export function includeObject(query: URLSearchParams): IncludeObject {
  const text = query.get('includeObject') ?? ''
  if (text === '' || text === 'Metadata') return 'Metadata'
  if (text === 'None' || text === 'Object') return text
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(text.slice(0, 64))}: must be 'Metadata', 'Object', 'None', or empty`,
  )
}

/** Objects as rows (metav1.Table). */
export function tableOf(source: TableSource): JsonObject {
  const columns = columnsOf(source)
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${source.metaVersion}`,
    metadata: source.metadata,
    columnDefinitions: source.hasHeader
      ? columns.map(({ name, type, format, description, priority }) => ({
          name,
          type,
          format,
          description,
          priority,
        }))
      : null,
    rows: source.objects.map((object) => ({
      cells: cellsOf(source, object).map((cell) =>
        cell instanceof Since ? cell.at(source.nowMs) : cell,
      ),
      ...rowObject(object, source),
    })),
  }
}

function columnsOf({ resource, columns }: TableColumns): readonly TableColumn[] {
  return columns ?? COLUMNS[resource.id] ?? PLAIN_COLUMNS
}

type TableColumns = Pick<TableSource, 'resource' | 'columns'>

/** What the columns say of an object. */
export function cellsOf(source: TableColumns, object: KubeObject): readonly (Json | Since)[] {
  return columnsOf(source).map((column) => column.cell(object))
}

function rowObject(object: KubeObject, source: TableSource): JsonObject {
  if (source.include === 'None') return { object: null }
  const shown = source.shown?.(object) ?? object
  return { object: source.include === 'Object' ? shown : metadataOf(shown, source.metaVersion) }
}

/** The metadata of an object alone (metav1.PartialObjectMetadata). */
export function metadataOf(object: KubeObject, metaVersion: 'v1' | 'v1beta1'): JsonObject {
  return {
    kind: 'PartialObjectMetadata',
    apiVersion: `meta.k8s.io/${metaVersion}`,
    metadata: object.metadata,
  }
}
