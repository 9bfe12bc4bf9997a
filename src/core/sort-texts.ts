/** So many are put in order one by one, which takes no memory; `sort` makes copies. */
const ONE_BY_ONE_MAX = 32

/**
 * Sorts texts where they stand. Meant for few that often are in order already, such as the keys of a map.
 *
 * @param compare below zero when `a` comes before `b`. Default: by their UTF-16 units, as `sort` does.
 * @returns the same array.
 */
export function sortTexts(
  texts: string[],
  compare: (a: string, b: string) => number = compareUnits,
): string[] {
  if (texts.length > ONE_BY_ONE_MAX) return texts.sort(compare)
  for (let i = 1; i < texts.length; i += 1) {
    const text = texts[i] ?? ''
    let at = i
    for (; at > 0 && compare(texts[at - 1] ?? '', text) > 0; at -= 1)
      texts[at] = texts[at - 1] ?? ''
    texts[at] = text
  }
  return texts
}

function compareUnits(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
