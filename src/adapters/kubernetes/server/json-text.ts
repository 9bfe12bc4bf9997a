import { badRequest } from './status.ts'

/** Deeper JSON is refused: no kind needs it, and walking it would exhaust the stack. */
export const JSON_DEPTH_MAX = 256

/** What JSON.parse does not tell of a text. */
export interface JsonFacts {
  /** Paths of fields that occur twice in one object. */
  readonly duplicates: readonly string[]
}

interface Level {
  readonly keys: Set<string> | undefined
  readonly path: string
  key: string
  index: number
  expectsKey: boolean
}

/** How many duplicates are reported; more say nothing new. */
const DUPLICATES_MAX = 16

/**
 * Looks through valid or invalid JSON text for fields given twice and for its depth.
 *
 * @throws StatusError 400 past {@link JSON_DEPTH_MAX}.
 */
export function inspectJson(text: string): JsonFacts {
  const duplicates: string[] = []
  const levels: Level[] = []
  for (let index = 0; index < text.length; index++) {
    const level = levels[levels.length - 1]
    switch (text[index]) {
      case '"': {
        const end = endOfString(text, index)
        if (level?.expectsKey === true) noteKey(level, text.slice(index, end + 1), duplicates)
        index = end
        break
      }
      case '{':
      case '[': {
        if (levels.length >= JSON_DEPTH_MAX) throw badRequest('the body is nested too deeply')
        const isMap = text[index] === '{'
        levels.push({
          keys: isMap ? new Set() : undefined,
          path: pathOf(level),
          key: '',
          index: 0,
          expectsKey: isMap,
        })
        break
      }
      case '}':
      case ']':
        levels.pop()
        break
      case ',':
        if (level !== undefined) {
          level.expectsKey = level.keys !== undefined
          level.index += 1
        }
        break
      default:
    }
  }
  return { duplicates }
}

function noteKey(level: Level, quoted: string, duplicates: string[]): void {
  level.expectsKey = false
  level.key = unquote(quoted)
  if (level.keys?.has(level.key) === true && duplicates.length < DUPLICATES_MAX)
    duplicates.push(pathOf(level))
  level.keys?.add(level.key)
}

function unquote(quoted: string): string {
  try {
    return String(JSON.parse(quoted))
  } catch {
    return quoted
  }
}

function pathOf(level: Level | undefined): string {
  if (level === undefined) return ''
  if (level.keys === undefined) return `${level.path}[${level.index}]`
  return level.path === '' ? level.key : `${level.path}.${level.key}`
}

function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    if (text[index] === '\\') index += 1
    else if (text[index] === '"') return index
  }
  return text.length
}
