import { DocumentError, UsageError } from '../errors.ts'
import type { DocumentId, Heads } from '../ids.ts'
import type { Logger } from '../interfaces/logger.ts'
import { type SchemaIssue, type StandardSchema, validate } from './schema.ts'

/** A document that a schema is held against. */
interface Guarded {
  readonly id: DocumentId
  readonly value: unknown
  readonly heads: Heads
  readonly deleted: boolean
}

const NO_ISSUES: readonly SchemaIssue[] = Object.freeze([])

/**
 * Holds a schema against one document: refuses local edits that do not fit, and says of everything else
 * what does not fit. A schema that fails finds fault with the value, and brings nothing down.
 */
export class SchemaGuard {
  readonly #schema: StandardSchema
  readonly #logger: Logger
  /** By document: the heads that were complained about last, by whichever handle. */
  static readonly #told = new WeakMap<object, string>()
  #checked: unknown
  #issues = NO_ISSUES

  /** @throws UsageError when the schema is none, or answers with promises. */
  constructor(schema: StandardSchema, document: Guarded, logger: Logger) {
    this.#schema = schema
    this.#logger = logger
    if (typeof schema['~standard']?.validate !== 'function') {
      throw new UsageError('USAGE_INVALID_ARGUMENT', 'schema must be a Standard Schema', {
        field: 'schema',
      })
    }
    let issues: readonly SchemaIssue[] | undefined = NO_ISSUES
    try {
      issues = validate(schema, document.value)
    } catch {
      // It fails on this value: said below, by whoever asks for the issues.
    }
    if (issues === undefined) throw asynchronous()
  }

  /** Checks what somebody is about to write. @throws DocumentError `VALUE_INVALID` with the issues. */
  checkEdit(document: DocumentId, next: unknown): void {
    const issues = validate(this.#schema, next)
    if (issues === undefined) throw asynchronous()
    if (issues.length === 0) return
    throw new DocumentError('VALUE_INVALID', 'the schema refuses the value', { document, issues })
  }

  /** What is wrong with the value as it is. Nothing, before the first edit and after deletion. */
  issues(document: Guarded): readonly SchemaIssue[] {
    if (document.deleted || document.heads.length === 0) return NO_ISSUES
    const { value } = document
    if (value === this.#checked) return this.#issues
    this.#checked = value
    this.#issues = this.#find(value)
    return this.#issues
  }

  /** Complains about the value as it is, once for each state of it. `owner` stands for the document. */
  report(owner: object, document: Guarded): void {
    const issues = this.issues(document)
    if (issues.length === 0) return
    const heads = document.heads.join()
    if (SchemaGuard.#told.get(owner) === heads) return
    SchemaGuard.#told.set(owner, heads)
    this.#logger.warn('a document does not fit its schema', { document: document.id, issues })
  }

  #find(value: unknown): readonly SchemaIssue[] {
    try {
      return validate(this.#schema, value) ?? [{ path: [], message: asynchronous().message }]
    } catch (error) {
      this.#logger.error('a schema failed', { error })
      return [{ path: [], message: 'the schema failed' }]
    }
  }
}

function asynchronous(): UsageError {
  return new UsageError(
    'USAGE_INVALID_ARGUMENT',
    'schema must answer at once; one that answers with a promise cannot be used',
    { field: 'schema' },
  )
}
