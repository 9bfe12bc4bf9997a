// Order keys are fractions between 0 and 1, written in base 26 with the letters a to z, without a
// trailing `a`. Between any two there is a third, so an item can be put anywhere without touching others.

const DIGITS = 'abcdefghijklmnopqrstuvwxyz'

/**
 * A key between two others. `undefined` stands for the beginning and for the end. When `after` is not
 * before `before` (two replicas inserted at the same place), the result follows `after`.
 */
export function orderKeyBetween(after: string | undefined, before: string | undefined): string {
  const low = after ?? ''
  return midpoint(low, before !== undefined && low < before ? before : undefined)
}

/** Keys for a new list of `count` items, evenly spread. */
export function orderKeys(count: number): readonly string[] {
  let width = 1
  while (DIGITS.length ** width < count + 1) width += 1
  const step = Math.floor(DIGITS.length ** width / (count + 1))
  return Array.from({ length: count }, (_, index) => {
    let rest = (index + 1) * step
    let key = ''
    for (let i = 0; i < width; i += 1) {
      key = (DIGITS[rest % DIGITS.length] ?? '') + key
      rest = Math.floor(rest / DIGITS.length)
    }
    return key.endsWith('a') ? `${key}n` : key
  })
}

function midpoint(low: string, high: string | undefined): string {
  if (high !== undefined) {
    let shared = 0
    while ((low[shared] ?? 'a') === high[shared]) shared += 1
    if (shared > 0) return high.slice(0, shared) + midpoint(low.slice(shared), high.slice(shared))
  }
  const first = low === '' ? 0 : digit(low)
  const last = high === undefined ? DIGITS.length : digit(high)
  if (last - first > 1) return DIGITS[Math.round((first + last) / 2)] ?? 'n'
  if (high !== undefined && high.length > 1) return high.slice(0, 1)
  return (DIGITS[first] ?? 'a') + midpoint(low.slice(1), undefined)
}

function digit(text: string): number {
  return Math.max(0, DIGITS.indexOf(text[0] ?? 'a'))
}
