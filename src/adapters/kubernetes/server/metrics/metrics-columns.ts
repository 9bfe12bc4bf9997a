import { parseQuantity } from '../../objects/quantity.ts'
import type { KubeObject } from '../../objects/types.ts'
import { isObject, listAt, textAt } from '../json.ts'
import { column, type TableColumn } from '../table/column.ts'
import { cpuText, memoryText } from './metrics-objects.ts'

/** A column without a word on what it shows, as metrics-server has them. */
function plain(
  name: string,
  format: TableColumn['format'],
  cell: TableColumn['cell'],
): TableColumn {
  return column(name, '', cell, { format })
}

const NAME = column('Name', 'Name of the resource', (object) => object.metadata.name, {
  format: 'name',
})
const WINDOW = plain('Window', 'duration', (object) => textAt(object, 'window'))

/** What all containers of a pod use. */
function sumOf(object: KubeObject, resource: 'cpu' | 'memory'): number {
  return listAt(object, 'containers').reduce<number>((sum, container) => {
    if (!isObject(container)) return sum
    return sum + (parseQuantity(textAt(container, 'usage', resource)) ?? 0)
  }, 0)
}

/** The columns of the usage of nodes. */
export const NODE_METRICS_COLUMNS: readonly TableColumn[] = [
  NAME,
  plain('cpu', 'quantity', (object) => textAt(object, 'usage', 'cpu')),
  plain('memory', 'quantity', (object) => textAt(object, 'usage', 'memory')),
  WINDOW,
]

/** The columns of the usage of pods. */
export const POD_METRICS_COLUMNS: readonly TableColumn[] = [
  NAME,
  plain('cpu', 'quantity', (object) => cpuText(Math.round(sumOf(object, 'cpu') * 1e9))),
  plain('memory', 'quantity', (object) => memoryText(sumOf(object, 'memory'))),
  WINDOW,
]
