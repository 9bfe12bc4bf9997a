import type { Schema } from './schema.ts'

const TOKEN = /'(?:[^'\\]|\\.)*'|[.[\]]|[^.[\]']+/gs

/** What a path leads to. */
export interface FoundField {
  /** The path as messages write it. */
  readonly path: string
  readonly schema: Schema
}

/**
 * Follows a path such as `.spec.map['key']` through a schema.
 *
 * @param allowsKeys whether keys of maps may stand in brackets.
 * @returns why it leads nowhere, where it does not lead to a field.
 */
export function followPath(path: string, root: Schema, allowsKeys: boolean): FoundField | string {
  const tokens = path.match(TOKEN) ?? []
  let schema: Schema = root
  let out = ''
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index]
    if (token === '[') {
      if (!allowsKeys) return 'array notation is not allowed'
      const quoted = tokens[index + 1]
      if (quoted === undefined) return 'unexpected end of JSON path'
      if (!quoted.startsWith("'") || !quoted.endsWith("'") || quoted.length < 2)
        return `expected single quoted string but got ${quoted}`
      const key = quoted.slice(1, -1).replace(/\\(.)/gs, '$1')
      const named = schema.properties.get(key)
      if (named === undefined && typeof schema.additional !== 'object')
        return schema.properties.size > 0
          ? 'does not refer to a valid field'
          : 'does not refer to an object'
      out += named === undefined ? `[${key}]` : `.${key}`
      schema = named ?? (schema.additional as Schema)
      if (tokens[index + 2] !== ']') return `expected ] but got ${tokens[index + 2] ?? ''}`
      index += 2
    } else if (token === '.') {
      const name = tokens[index + 1]
      if (name === undefined || name === '.' || name === '[') return 'unexpected end of JSON path'
      const inner = schema.properties.get(name)
      if (inner === undefined) return 'does not refer to a valid field'
      out += `.${name}`
      schema = inner
      index += 1
    } else return `expected [ or . but got: ${token ?? ''}`
  }
  return out === '' ? 'does not refer to a valid field' : { path: out, schema }
}

/** The path of a rule, as the field of an error shows it. */
export function fieldPathOf(path: string): string {
  return path.replace(/\['((?:[^'\\]|\\.)*)'\]/gs, (_match, key: string) => {
    const plain = key.replace(/\\(.)/gs, '$1')
    return `.${plain}`
  })
}
