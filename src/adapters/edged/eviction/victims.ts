/** A pod that may be evicted, with what it uses of what runs short. */
export interface Candidate {
  readonly uid: string
  readonly priority: number
  /** Undefined: nothing is known of it, as it has not begun. */
  readonly used: number | undefined
  /** What it has asked for. Undefined: it cannot ask for this. */
  readonly requested: number | undefined
}

/**
 * Who goes first, by the rules of kubelet: those that use more than they asked for before the others,
 * then the lesser priority, then who uses most above its request. Of what cannot be asked for (the
 * number of processes) priority and use alone decide. Of equals the order stays.
 */
export function inEvictionOrder<Each extends Candidate>(
  candidates: readonly Each[],
): readonly Each[] {
  return [...candidates].sort(
    (a, b) => excess(b) - excess(a) || a.priority - b.priority || over(b) - over(a),
  )
}

/** 2 for who is not known, 1 for who uses more than it asked for. */
function excess({ used, requested }: Candidate): number {
  if (requested === undefined) return 0
  if (used === undefined) return 2
  return used > requested ? 1 : 0
}

function over({ used, requested }: Candidate): number {
  // Larger than any size of a disk, and no infinity: two of them can be compared.
  return used === undefined ? Number.MAX_SAFE_INTEGER : used - (requested ?? 0)
}
