import { type AcceptedDifference, acceptedAs, compareAnswers, type Difference } from './compare.ts'
import { Normalizer } from './normalize.ts'
import type { GoldenRequest } from './request-files.ts'
import { type GoldenAnswer, Target, type TargetOptions } from './target.ts'

/** What a comparison found. */
export interface GoldenResult {
  readonly count: number
  /** The differences of each request that are not accepted. */
  readonly differing: ReadonlyMap<string, readonly Difference[]>
  /** Accepted differences that were met. */
  readonly met: ReadonlySet<AcceptedDifference>
}

/** Sends the same requests in the same order to two servers and compares what they answer. */
export async function runComparison(
  requests: readonly GoldenRequest[],
  servers: { readonly real: TargetOptions; readonly ours: TargetOptions },
  accepted: readonly AcceptedDifference[],
): Promise<GoldenResult> {
  const real = new Side(servers.real)
  const ours = new Side(servers.ours)
  const differing = new Map<string, readonly Difference[]>()
  const met = new Set<AcceptedDifference>()
  try {
    for (const batch of batches(requests)) {
      const [expected, found] = await Promise.all([real.answer(batch), ours.answer(batch)])
      for (const [index, request] of batch.entries()) {
        const left = expected[index]
        const right = found[index]
        if (left === undefined || right === undefined) continue
        const open = compareAnswers(left, right).filter((difference) => {
          const entry = acceptedAs(request.id, difference, accepted)
          if (entry !== undefined) met.add(entry)
          return entry === undefined
        })
        if (open.length > 0) differing.set(request.id, open)
      }
    }
  } finally {
    real.close()
    ours.close()
  }
  return { count: requests.length, differing, met }
}

class Side {
  readonly #target: Target
  readonly #normalizer = new Normalizer()

  constructor(options: TargetOptions) {
    this.#target = new Target(options)
  }

  async answer(batch: readonly GoldenRequest[]): Promise<readonly GoldenAnswer[]> {
    const answers = await Promise.all(batch.map((request) => this.#target.send(request)))
    return answers.map((answer) => this.#normalizer.normalize(answer))
  }

  close(): void {
    this.#target.close()
  }
}

/** Watches that follow each other are sent at once, as each only ends when its time is up. */
function* batches(requests: readonly GoldenRequest[]): Generator<readonly GoldenRequest[]> {
  let watches: GoldenRequest[] = []
  for (const request of requests) {
    if (request.isWatch) {
      watches.push(request)
      continue
    }
    if (watches.length > 0) yield watches
    watches = []
    yield [request]
  }
  if (watches.length > 0) yield watches
}
