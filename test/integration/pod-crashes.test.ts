import { afterEach, expect, test } from 'vitest'
import { CONTAINERD_REASON, hasContainerd } from '../containers/containerd.ts'
import { skipUnless } from '../support/skip.ts'
import { FaultPlace } from './fault-place.ts'
import { crashPods, type Victim } from './pod-crashes.ts'

let place: FaultPlace | undefined

afterEach(async () => {
  await place?.close()
  place = undefined
})

const seed = Number(process.env['FAULT_SEED'] ?? Math.floor(Math.random() * 1e6))
const podCount = Number(process.env['FAULT_PODS'] ?? 8)
/** Faults and pods take their time, twice that of each wait in between. */
const TEST_MS = 600_000 + podCount * 30_000
const crashes = Number(process.env['FAULT_CRASHES'] ?? 4)

async function check(runtime: 'cri' | 'process', victims: readonly Victim[]): Promise<void> {
  place = await FaultPlace.open({ runtime })
  const report = await crashPods(place, { seed, podCount, crashes, victims })
  expect(report.problems).toEqual([])
}

test(
  `containers: edgecore killed and its link cut, seed ${seed}`,
  async (context) => {
    skipUnless(context, hasContainerd(), 'containerd', CONTAINERD_REASON)
    await check('cri', ['edgecore', 'edgecore', 'link'])
  },
  TEST_MS,
)

test(
  `containers: edgecore, containerd and shims killed, seed ${seed}`,
  async (context) => {
    skipUnless(context, hasContainerd(), 'containerd', CONTAINERD_REASON)
    await check('cri', ['edgecore', 'containerd', 'shim'])
  },
  TEST_MS,
)

test(
  `processes: edgecore killed and its link cut, seed ${seed}`,
  async () => {
    await check('process', ['edgecore', 'edgecore', 'link'])
  },
  TEST_MS,
)
