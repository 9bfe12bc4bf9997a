import type { DocumentPath } from './path.ts'

/**
 * A schema of any library that follows Standard Schema, version 1 (standardschema.dev): the part of that
 * interface that is used here.
 *
 * What the schema puts out only gives the type of the value. What is stored is what the writer wrote: a
 * schema that fills in defaults or drops fields that it does not know does so for itself alone, so that
 * no writer takes away what a newer one added.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    /** What is wrong with a value, or the value that it stands for. */
    readonly validate: (
      value: unknown,
    ) => StandardSchemaResult<Output> | Promise<StandardSchemaResult<Output>>
    /** Not there at run time: carries the types of what goes in and what comes out. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What a schema says of one value: what it is, or what is wrong with it. */
export type StandardSchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardSchemaIssue[] }

/** Something that is wrong with a value, in the words of the schema. */
export interface StandardSchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** The type of the values that a schema lets through. */
export type SchemaOutput<Schema extends StandardSchema> = NonNullable<
  Schema['~standard']['types']
>['output']

/** Something that a schema finds wrong with the value of a document. */
export interface SchemaIssue {
  readonly path: DocumentPath
  readonly message: string
}

/** How many issues of one value are told. */
const ISSUES_MAX = 20
/** How much of a message is told, in characters. */
const MESSAGE_CHARS_MAX = 500

/** What `validate` answered, or undefined when it answered with a promise. */
export function validate(
  schema: StandardSchema,
  value: unknown,
): readonly SchemaIssue[] | undefined {
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) {
    // Nobody waits for it.
    result.catch(() => undefined)
    return undefined
  }
  return (result.issues ?? []).slice(0, ISSUES_MAX).map(({ path = [], message }) => ({
    path: path.map(stepOf),
    message: String(message).slice(0, MESSAGE_CHARS_MAX),
  }))
}

function stepOf(step: PropertyKey | { readonly key: PropertyKey }): string | number {
  const key = typeof step === 'object' ? step.key : step
  return typeof key === 'symbol' ? String(key) : key
}
