import { expect, test } from 'vitest'
import { CONTAINERD_REASON, hasContainerd } from '../containers/containerd.ts'
import { readAccepted, readAnswers } from '../kubelet/golden/answer-files.ts'
import { type PodCase, wantedCases } from '../kubelet/golden/case-files.ts'
import { compareCases, tellCases } from '../kubelet/golden/compare-cases.ts'
import { withEdgedSide } from '../kubelet/golden/edged-side.ts'
import { runAll } from '../kubelet/golden/run-all.ts'
import type { Settled } from '../kubelet/golden/run-case.ts'
import { untilAs } from '../kubelet/golden/settled.ts'
import { skipUnless } from '../support/skip.ts'

/** So many manifests at most have a second go where they differ: a busy machine may look at a pod too late. */
const AGAIN_MAX = 8

/** Most of it is waiting for restarts, which take as long everywhere. */
const TIMEOUT_MS = 300_000

test('edged says of pods what kubelet says', { timeout: TIMEOUT_MS, retry: 0 }, async (context) => {
  skipUnless(context, hasContainerd(), 'containerd', CONTAINERD_REASON)
  const [cases, expected, accepted] = [
    await wantedCases(),
    await readAnswers(),
    await readAccepted(),
  ]
  const settled = (given: PodCase): Settled => untilAs(given, expected[given.name] ?? [], accepted)
  const found = await withEdgedSide(async (side) => {
    const first = await runAll(cases, side, settled)
    const { differing } = compareCases(cases, expected, first, accepted)
    const again = cases.filter(({ name }) => differing.has(name))
    if (again.length === 0 || again.length > AGAIN_MAX) return first
    console.warn(`kubelet comparison: once more: ${again.map(({ name }) => name).join(', ')}`)
    return new Map([...first, ...(await runAll(again, side, settled))])
  })
  const result = compareCases(cases, expected, found, accepted)
  console.warn(
    `kubelet comparison: ${cases.length - result.differing.size} of ${cases.length} manifests agree, ` +
      `${result.differing.size} differ, ${accepted.length} kinds of difference are accepted`,
  )
  expect(tellCases(result), 'pods that differ').toBe('')
  const unmet = accepted.filter((entry) => !result.met.has(entry)).map((entry) => entry.reason)
  expect(unmet.join('\n'), 'accepted differences that no pod shows any more').toBe('')
})
