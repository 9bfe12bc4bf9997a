/** One test that did not run. */
export interface Skip {
  readonly name: string
  readonly file: string
  /** Why, as the test said it; empty when it said nothing. */
  readonly reason: string
}

/** A skip that somebody looked at and accepted where every component is meant to be installed. */
export interface ReviewedSkip {
  /** The test's full name, or its beginning followed by `*`. */
  readonly name: string
  readonly reason: string
}

export interface RunCounts {
  readonly passed: number
  readonly failed: number
  /** Tests that neither passed nor failed nor were skipped. */
  readonly unfinished: number
  readonly interrupted: boolean
  readonly skips: readonly Skip[]
  /** Those of `skips` that count as failures. */
  readonly unreviewed: readonly Skip[]
  /** Names of tests that passed only when they were run again. */
  readonly unsteady: readonly string[]
}

/** The skips that no entry of the reviewed list names with the same reason. */
export function findUnreviewedSkips(
  skips: readonly Skip[],
  reviewed: readonly ReviewedSkip[],
): readonly Skip[] {
  return skips.filter((skip) => !reviewed.some((entry) => covers(entry, skip)))
}

function covers(entry: ReviewedSkip, skip: Skip): boolean {
  if (entry.reason !== skip.reason) return false
  if (!entry.name.endsWith('*')) return entry.name === skip.name
  return skip.name.startsWith(entry.name.slice(0, -1))
}

/** The closing lines of a run. The last one is `N passed, N failed`, and `, N skipped` if any were. */
export function summarise(counts: RunCounts): readonly string[] {
  const lines: string[] = []
  for (const skip of counts.skips) {
    lines.push(`skipped: ${skip.name} (${skip.file}): ${skip.reason || 'no reason given'}`)
  }
  if (counts.skips.length > 0) lines.push(`${counts.skips.length} skipped in all`)
  for (const name of counts.unsteady) lines.push(`unsteady: ${name} passed at its second attempt`)
  for (const skip of counts.unreviewed) {
    lines.push(
      `failed: ${skip.name} was skipped, and test/support/allowed-skips.json lists no such skip`,
    )
  }
  if (counts.interrupted) lines.push('failed: the run was interrupted')
  if (counts.unfinished > 0) lines.push(`failed: ${counts.unfinished} tests did not finish`)
  const skipped = counts.skips.length - counts.unreviewed.length
  const failed =
    counts.failed + counts.unreviewed.length + counts.unfinished + (counts.interrupted ? 1 : 0)
  lines.push(
    `${counts.passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
  )
  return lines
}
