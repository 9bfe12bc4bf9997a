import type { JsonObject, ObjectRow } from '../../objects/types.ts'
import { partialOf } from '../encode.ts'
import type { PiecedBody } from '../pieces.ts'
import { cellsOf, type TableSource, tableOf } from './table.ts'

/** What a Table is made from that is written row by row. */
export type TableRows = Omit<TableSource, 'objects'> & { readonly rows: readonly ObjectRow[] }

/**
 * The JSON of a Table: each object is read when its row is written, and forgotten. What goes along with
 * a row is copied from the text of the object, unless another version than the kept one is asked for.
 */
export function tableBody(source: TableRows): PiecedBody {
  const { rows, include, shown, metaVersion, columns } = source
  const empty = JSON.stringify(tableOf({ ...source, objects: [] }))
  const objectOf = (row: ObjectRow): readonly (string | Uint8Array)[] => {
    if (include === 'None') return ['null']
    if (shown === undefined) return include === 'Object' ? [row.json] : partialOf(row, metaVersion)
    const [only] = tableOf({ ...source, objects: [row.object] })['rows'] as readonly JsonObject[]
    return [JSON.stringify(only?.['object'])]
  }
  function* parts(): Generator<string | Uint8Array> {
    yield empty.slice(0, -']}'.length)
    let before = '{"cells":'
    for (const row of rows) {
      // Columns of definitions may look at anything.
      const object = columns === undefined ? row.lean : row.object
      yield `${before}${JSON.stringify(cellsOf(source, object))},"object":`
      yield* objectOf(row)
      before = '},{"cells":'
    }
    yield rows.length === 0 ? ']}\n' : '}]}\n'
  }
  return { parts: parts() }
}
