import { RE2JS } from 're2js'
import { CelError } from './values.ts'

/** How many patterns are kept compiled. */
const PATTERNS_MAX = 1_000

/** A longer pattern is refused: compiling costs in proportion to it. */
const PATTERN_CHARACTERS_MAX = 10_000

const compiled = new Map<string, RE2JS>()

/**
 * A regular expression in the syntax of Go, matched in time that grows with the text only: patterns come
 * from definitions, texts from anybody.
 *
 * @throws CelError when it is none.
 */
export function compiledPattern(pattern: string): RE2JS {
  const known = compiled.get(pattern)
  if (known !== undefined) return known
  if (pattern.length > PATTERN_CHARACTERS_MAX)
    throw new CelError('error parsing regexp: expression too large')
  let found: RE2JS
  try {
    found = RE2JS.compile(pattern)
  } catch (error) {
    throw new CelError(error instanceof Error ? error.message : 'error parsing regexp')
  }
  if (compiled.size >= PATTERNS_MAX) {
    const [oldest] = compiled.keys()
    if (oldest !== undefined) compiled.delete(oldest)
  }
  compiled.set(pattern, found)
  return found
}

/** What is wrong with a regular expression; undefined when nothing is. */
export function patternProblem(pattern: string): string | undefined {
  try {
    compiledPattern(pattern)
    return undefined
  } catch (error) {
    return error instanceof CelError ? error.message : 'error parsing regexp'
  }
}
