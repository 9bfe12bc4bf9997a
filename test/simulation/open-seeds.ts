/**
 * Seeds that are known to fail, each with what is wrong in its world: defects that are found and not mended yet.
 * Each must fail until it is taken off this list, so the list cannot outlive them. A change of the order
 * in which things happen gives other seeds the same fate.
 */
export const OPEN_SEEDS: ReadonlyMap<number, string> = new Map()
