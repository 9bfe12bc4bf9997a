import {
  type AcceptedDifference,
  acceptedAs,
  compareAnswers,
  type Difference,
  differenceText,
} from '../../cluster/golden/compare.ts'
import type { KubeletAnswers } from './answer-files.ts'
import type { PodCase } from './case-files.ts'
import type { Answers } from './run-all.ts'

/** What a comparison of pods found. */
export interface CaseComparison {
  /** What is not accepted, by case: what differs, or why there is nothing to compare. */
  readonly differing: ReadonlyMap<string, readonly string[]>
  /** Accepted differences that were met. */
  readonly met: ReadonlySet<AcceptedDifference>
}

/** How many of the differences of one case are told. */
const SHOWN_MAX = 8
/** How much of what two texts have in common is told. */
const COMMON_MAX = 40
/** How much of a failure is told. */
const TOLD_CHARACTERS = 600

/** Compares what was seen of pods with what is expected of them. */
export function compareCases(
  cases: readonly PodCase[],
  expected: KubeletAnswers,
  found: Answers,
  accepted: readonly AcceptedDifference[],
): CaseComparison {
  const differing = new Map<string, readonly string[]>()
  const met = new Set<AcceptedDifference>()
  const isOpen = (name: string, difference: Difference): boolean => {
    const entry = acceptedAs(name, difference, accepted)
    if (entry !== undefined) met.add(entry)
    return entry === undefined
  }
  for (const { name } of cases) {
    const [real, ours] = [expected[name], found.get(name)]
    if (real === undefined || ours === undefined || ours instanceof Error) {
      const why = ours instanceof Error ? ours.message.slice(0, TOLD_CHARACTERS) : 'not recorded'
      differing.set(name, [why])
      continue
    }
    const open = compareAnswers(real, ours).filter((difference) => isOpen(name, difference))
    if (open.length > 0) differing.set(name, open.map(fromWhereTheyPart).map(differenceText))
  }
  return { differing, met }
}

/** Of long texts, what is told is what comes after what they have in common. */
function fromWhereTheyPart({ path, real, ours }: Difference): Difference {
  let at = 0
  while (at < real.length && real[at] === ours[at]) at += 1
  const cut = (text: string): string =>
    at > COMMON_MAX ? `...${text.slice(at - COMMON_MAX)}` : text
  return { path, real: cut(real), ours: cut(ours) }
}

/** What differs, in lines; empty when nothing does. */
export function tellCases({ differing }: CaseComparison): string {
  const told = [...differing].map(([name, lines]) =>
    [name, ...lines.slice(0, SHOWN_MAX)].join('\n    '),
  )
  return told.join('\n')
}
