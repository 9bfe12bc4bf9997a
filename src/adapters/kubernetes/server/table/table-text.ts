import type { Json, JsonObject, ObjectRow } from '../../objects/types.ts'
import { partialOf } from '../encode.ts'
import type { PiecedBody } from '../pieces.ts'
import { Since } from './column.ts'
import { cellsOf, type TableSource, tableOf } from './table.ts'

/** What a Table is made from that is written row by row. */
export type TableRows = Omit<TableSource, 'objects'> & { readonly rows: readonly ObjectRow[] }

/** The cells of a row as JSON, but for durations: where those stand they are what they count from. */
type CellText = readonly (string | Since)[]

/** What the columns of a kind say of its rows: to find it out again a row has to be read. */
const known = new WeakMap<ObjectRow, CellText>()

function cellTextOf(source: TableRows, row: ObjectRow): CellText {
  // Columns of definitions may look at anything, and change with the definition.
  if (source.columns !== undefined) return cellText(cellsOf(source, row.object))
  const before = known.get(row)
  if (before !== undefined) return before
  const text = cellText(cellsOf(source, row.lean))
  known.set(row, text)
  return text
}

function cellText(cells: readonly (Json | Since)[]): CellText {
  const parts: (string | Since)[] = []
  let texts: string[] = []
  for (const [index, cell] of cells.entries()) {
    texts.push(index > 0 ? ',' : '[')
    if (cell instanceof Since) {
      parts.push(texts.join(''), cell)
      texts = []
    } else texts.push(JSON.stringify(cell))
  }
  // Joined, and not added up: such a text is kept as a tree of its parts.
  return [...parts, [...texts, ']'].join('')]
}

function cellsAt(text: CellText, nowMs: number): string {
  return text
    .map((part) => (typeof part === 'string' ? part : JSON.stringify(part.at(nowMs))))
    .join('')
}

/**
 * The JSON of a Table: each object is read when its row is first written, and forgotten. What goes along with
 * a row is copied from the text of the object, unless another version than the kept one is asked for.
 */
export function tableBody(source: TableRows): PiecedBody {
  const { rows, include, shown, metaVersion, nowMs } = source
  const empty = JSON.stringify(tableOf({ ...source, objects: [] }))
  const objectOf = (row: ObjectRow): readonly (string | Uint8Array)[] => {
    if (include === 'None') return ['null']
    if (shown === undefined) return include === 'Object' ? row.parts : partialOf(row, metaVersion)
    const [only] = tableOf({ ...source, objects: [row.object] })['rows'] as readonly JsonObject[]
    return [JSON.stringify(only?.['object'])]
  }
  function* parts(): Generator<string | Uint8Array> {
    yield empty.slice(0, -']}'.length)
    let before = '{"cells":'
    for (const row of rows) {
      yield `${before}${cellsAt(cellTextOf(source, row), nowMs)},"object":`
      yield* objectOf(row)
      before = '},{"cells":'
    }
    yield rows.length === 0 ? ']}\n' : '}]}\n'
  }
  return { parts: parts() }
}
