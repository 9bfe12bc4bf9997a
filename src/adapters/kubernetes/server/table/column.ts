import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { at, numberAt, textAt } from '../json.ts'

/** What a column shows of an object, which holds as long as the object does. */
export type Cell = (object: KubeObject) => Json | Since

/** A cell that tells how long ago something was: what it says is known when it is looked at. */
export class Since {
  /** Milliseconds since the Unix epoch. */
  readonly thenMs: number
  /** What encloses the duration. */
  readonly before: string
  readonly after: string

  constructor(thenMs: number, before: string = '', after: string = '') {
    this.thenMs = thenMs
    this.before = before
    this.after = after
  }

  at(nowMs: number): string {
    return `${this.before}${durationText(nowMs - this.thenMs)}${this.after}`
  }
}

/** A column of `kubectl get`, and how its cells are read (metav1.TableColumnDefinition). */
export interface TableColumn {
  readonly name: string
  readonly type: 'string' | 'integer' | 'boolean' | 'date'
  /** `name` marks the column that names the object. */
  readonly format: '' | 'name' | 'quantity' | 'duration'
  readonly description: string
  /** 0 is always shown, 1 only with `-o wide`. */
  readonly priority: 0 | 1
  readonly cell: Cell
}

/** A column with the usual settings. */
export function column(
  name: string,
  description: string,
  cell: Cell,
  more: Partial<Pick<TableColumn, 'type' | 'priority' | 'format'>> = {},
): TableColumn {
  return { name, type: 'string', format: '', priority: 0, description, cell, ...more }
}

/** The first column of every kind. */
export const NAME: TableColumn = column(
  'Name',
  'Unique within a namespace.',
  (object) => object.metadata.name,
  {
    format: 'name',
  },
)

/** The age of the object. */
export const AGE: TableColumn = column('Age', 'Time since the object was created.', (object) =>
  since(object.metadata.creationTimestamp),
)

/** Text at a path, with a word for nothing. */
export function textCell(path: readonly string[], nothing = ''): Cell {
  return (object) => textAt(object, ...path) || nothing
}

/** The time since a moment, as kubectl writes it, between two texts; `<unknown>` where there is none. */
export function since(moment: Json | undefined, before = '', after = ''): Since | string {
  const then = typeof moment === 'string' ? Date.parse(moment) : Number.NaN
  return Number.isNaN(then) ? `${before}<unknown>${after}` : new Since(then, before, after)
}

/** A duration in at most two units: `45s`, `5m10s`, `3h`, `2d4h`, `400d`. */
export function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds <= 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (hours < 192) return pair(days, 'd', hours % 24, 'h')
  if (days < 730) return `${days}d`
  const years = Math.floor(days / 365)
  return days < 365 * 8 ? pair(years, 'y', days % 365, 'd') : `${years}y`
}

function pair(major: number, majorUnit: string, minor: number, minorUnit: string): string {
  return minor === 0 ? `${major}${majorUnit}` : `${major}${majorUnit}${minor}${minorUnit}`
}

/** Labels or a selector as `a=b,c=d`, `<none>` when there are none. */
export function labelsText(labels: JsonObject): string {
  const entries = Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`)
  return entries.length === 0 ? '<none>' : entries.sort().join(',')
}

/** How many entries the map at a path has. */
export function countCell(...paths: readonly (readonly string[])[]): Cell {
  return (object) =>
    paths.reduce((sum, path) => {
      const found = at(object, ...path)
      return sum + (typeof found === 'object' && found !== null ? Object.keys(found).length : 0)
    }, 0)
}

/** The number at a path, 0 where there is none. */
export function numberCell(path: readonly string[]): Cell {
  return (object) => numberAt(object, ...path) ?? 0
}

/** The first few of several texts, and how many there are beside them. */
export function listText(
  texts: readonly string[],
  shownMax: number,
  separator: string = ',',
  all: number = texts.length,
): string {
  const shown = texts.slice(0, shownMax).join(separator)
  return texts.length > shownMax ? `${shown} + ${all - shownMax} more...` : shown
}
