import * as Y from 'yjs'

/** A JSON value as shared types of Yjs: maps and lists that merge, strings as single values. */
export function yValue(value: unknown): unknown {
  if (Array.isArray(value)) {
    const list = new Y.Array()
    list.push(value.map(yValue))
    return list
  }
  if (typeof value !== 'object' || value === null) return value
  const map = new Y.Map()
  for (const [key, item] of Object.entries(value)) map.set(key, yValue(item))
  return map
}

/** Puts a JSON object into the root map of a document, in one transaction. */
export function fillYDoc(doc: Y.Doc, value: Readonly<Record<string, unknown>>): void {
  doc.transact(() => {
    const root = doc.getMap('root')
    for (const [key, item] of Object.entries(value)) root.set(key, yValue(item))
  })
}
