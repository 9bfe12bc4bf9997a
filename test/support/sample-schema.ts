import type { SchemaIssue, StandardSchema, StandardSchemaIssue } from 'tideway'

export interface Note {
  title: string
  stars?: number
}

/** A schema by hand: `title` is a text, `stars` is a number from 0 to 5. */
export function noteSchema(
  options: { readonly throws?: boolean; readonly async?: boolean } = {},
): StandardSchema<unknown, Note> {
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => {
        if (options.throws === true) throw new Error('no')
        const issues = problems(value)
        const result = issues.length > 0 ? { issues } : { value: value as Note }
        return options.async === true ? Promise.resolve(result) : result
      },
    },
  }
}

function problems(value: unknown): readonly StandardSchemaIssue[] {
  const { title, stars } = value as Record<string, unknown>
  const issues: StandardSchemaIssue[] = []
  if (typeof title !== 'string') issues.push({ message: 'must be a text', path: ['title'] })
  if (stars !== undefined && !(typeof stars === 'number' && stars >= 0 && stars <= 5)) {
    issues.push({ message: 'must be 0 to 5', path: [{ key: 'stars' }] })
  }
  return issues
}

/** What the schema says of a note without a title. */
export const untitled: readonly SchemaIssue[] = [{ path: ['title'], message: 'must be a text' }]
