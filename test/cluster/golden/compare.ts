/** One place where two answers differ. */
export interface Difference {
  /** Such as `status`, `body.metadata.name`, `body.items.length`. */
  readonly path: string
  /** JSON of what is there, cut; `nothing` where there is nothing. */
  readonly real: string
  readonly ours: string
}

/** A difference that is meant to be. */
export interface AcceptedDifference {
  readonly reason: string
  /** Regular expressions; one that is left out fits everything. */
  readonly request?: string
  readonly path?: string
  readonly real?: string
  readonly ours?: string
}

/** How much of a value is looked at, and how much is told. */
const TEXT_CHARACTERS = 2_000
const TOLD_CHARACTERS = 200
const DIFFERENCES_MAX = 200

/** Where two answers differ, both normalised. */
export function compareAnswers(real: object, ours: object): readonly Difference[] {
  const found: Difference[] = []
  compare(real, ours, '', found)
  return found
}

function compare(real: unknown, ours: unknown, path: string, found: Difference[]): void {
  if (found.length >= DIFFERENCES_MAX || Object.is(real, ours)) return
  if (isBranch(real) && isBranch(ours) && Array.isArray(real) === Array.isArray(ours)) {
    const keys = new Set([...Object.keys(real), ...Object.keys(ours)])
    for (const key of keys) {
      const below = path === '' ? key : `${path}.${key}`
      compare(real[key], ours[key], below, found)
    }
    return
  }
  found.push({ path, real: shown(real), ours: shown(ours) })
}

function isBranch(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > TEXT_CHARACTERS ? `${text.slice(0, TEXT_CHARACTERS)}...` : text
}

/** Which of the accepted differences a difference is, if it is one. */
export function acceptedAs(
  request: string,
  difference: Difference,
  accepted: readonly AcceptedDifference[],
): AcceptedDifference | undefined {
  const fits = (pattern: string | undefined, text: string): boolean =>
    pattern === undefined || new RegExp(pattern).test(text)
  return accepted.find(
    (entry) =>
      fits(entry.request, request) &&
      fits(entry.path, difference.path) &&
      fits(entry.real, difference.real) &&
      fits(entry.ours, difference.ours),
  )
}

/** A difference in one line. */
export function differenceText({ path, real, ours }: Difference): string {
  return `${path}: real ${told(real)}, ours ${told(ours)}`
}

function told(text: string): string {
  return text.length > TOLD_CHARACTERS ? `${text.slice(0, TOLD_CHARACTERS)}...` : text
}
