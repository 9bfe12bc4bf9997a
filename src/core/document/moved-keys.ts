/**
 * The keys whose place among the others changed: those of both lists outside a longest run that kept its
 * order. Takes time in proportion to n log n.
 */
export function movedKeys(
  before: readonly string[],
  after: readonly string[],
): ReadonlySet<string> {
  const place = new Map(before.map((key, index) => [key, index]))
  const kept = after.flatMap((key) => {
    const at = place.get(key)
    return at === undefined ? [] : [{ key, at }]
  })
  // tails[n]: the item that ends the run of n + 1 items whose end is earliest in `before`.
  const tails: number[] = []
  const previous: number[] = []
  kept.forEach(({ at }, index) => {
    let low = 0
    let high = tails.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((kept[tails[middle] ?? 0]?.at ?? 0) < at) low = middle + 1
      else high = middle
    }
    previous.push(low === 0 ? -1 : (tails[low - 1] ?? -1))
    tails[low] = index
  })
  const moved = new Set(kept.map(({ key }) => key))
  for (let index = tails.at(-1) ?? -1; index !== -1; index = previous[index] ?? -1) {
    moved.delete(kept[index]?.key ?? '')
  }
  return moved
}
