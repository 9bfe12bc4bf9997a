import type { CelType } from './types.ts'
import { CelError, type Value } from './values.ts'

/** A node of a parsed expression. */
export interface Node {
  readonly op: string
  readonly args: unknown
  readonly start: number
  readonly end: number
  readonly pos: number
}

/** What an expression may still cost. */
export interface Meter {
  /** Steps that are left; below 0 the evaluation ends. */
  left: number
}

/** Where variables are while an expression is evaluated. */
export interface Frame {
  readonly slots: Value[]
  readonly meter: Meter
  /** The value of a variable whose name has a dot, worked out when it is used. */
  readonly lookUp: (name: string) => Value
}

/** Computes a part of an expression. */
export type Run = (frame: Frame) => Value

/** A part of an expression, and the type of what it computes. */
export interface Part {
  readonly type: CelType
  readonly run: Run
}

/** The variables that a part of an expression sees. */
export interface Scope {
  readonly source: string
  readonly variables: ReadonlyMap<string, { readonly type: CelType; readonly slot: number }>
  readonly depth: number
  /** Compiles a part of the expression. */
  readonly compile: (node: Node, scope: Scope) => Part
  /** Names of variables that were used. */
  readonly used: Set<string>
}

/** An error with the line that it is in, as cel-go shows it. */
export function compileError(source: string, offset: number, message: string): CelError {
  const before = source.slice(0, offset).split('\n')
  const line = before.length
  const column = before.at(-1)?.length ?? 0
  const text = source.split('\n')[line - 1] ?? ''
  return new CelError(
    `ERROR: <input>:${line}:${column + 1}: ${message}\n | ${text}\n | ${'.'.repeat(column)}^`,
  )
}

/** A variable more, for what is below a macro. */
export function withVariable(scope: Scope, name: string, type: CelType): Scope {
  const variables = new Map(scope.variables).set(name, { type, slot: scope.depth })
  return { ...scope, variables, depth: scope.depth + 1 }
}

/** Counts steps. */
export function spend({ meter }: Frame, steps: number): void {
  meter.left -= steps
  if (meter.left < 0) throw new CelError('operation cancelled: actual cost limit exceeded')
}

/** What a part computes, or why it fails; running out of steps is no failure of the part. */
export function tried(run: Run, frame: Frame): Value | CelError {
  try {
    return run(frame)
  } catch (error) {
    if (error instanceof CelError && frame.meter.left >= 0) return error
    throw error
  }
}
