import { expect, test } from 'vitest'
import { CONTAINERD_REASON, hasContainerd } from '../containers/containerd.ts'
import { readAnswers, writeAnswers } from '../kubelet/golden/answer-files.ts'
import { readCases, wantedCases } from '../kubelet/golden/case-files.ts'
import { compareCases, tellCases } from '../kubelet/golden/compare-cases.ts'
import { withKubeletSide } from '../kubelet/golden/kubelet-side.ts'
import { NODE, type NodeSide } from '../kubelet/golden/node-side.ts'
import { runAll } from '../kubelet/golden/run-all.ts'
import { untilAs, untilQuiet } from '../kubelet/golden/settled.ts'
import { findKubelet, KUBELET_HINT } from '../kubelet/kubelet-program.ts'
import { skipUnless } from '../support/skip.ts'
import { until } from './fleet-programs.ts'

/** Each lease is renewed after a quarter of its time. */
const RENEWED_MS = 40_000
const TIMEOUT_MS = 600_000

/** The cases that prove that the recorded answers are those of a kubelet: some of every kind. */
const PROOFS: readonly string[] = [
  'runs',
  'retries-on-failure',
  'last-words-from-log',
  'no-such-command',
  'deleted-with-a-word',
  'from-a-file',
  'never-pulled',
  'init-in-order',
  'sidecar-of-a-job',
  'looked-into',
  'unready-by-command',
  'ready-by-grpc',
  'post-start-fails',
  'variables',
  'no-such-config-map',
  'config-volumes',
  'projected-volume',
  'burstable',
  'too-much-memory',
  'another-user',
  'resized-beyond-the-node',
  'named',
]

test('a kubelet runs pods from documents, and says what was recorded of it', {
  timeout: TIMEOUT_MS,
  retry: 0,
}, async (context) => {
  skipUnless(context, hasContainerd(), 'containerd', CONTAINERD_REASON)
  const path = await findKubelet()
  skipUnless(context, path !== undefined, 'kubelet', KUBELET_HINT)
  if (path === undefined) return
  await withKubeletSide(path, async (side) => {
    await until('the node being ready', () => isReady(side), RENEWED_MS)
    const first = renewTimeOf(side)
    if (process.env['KUBELET_RECORD'] === 'true') await record(side)
    else await prove(side)
    await until('its lease being renewed', () => renewTimeOf(side) !== first, RENEWED_MS)
  })
})

/** Compares the answers of some cases with those recorded. */
async function prove(side: NodeSide): Promise<void> {
  const cases = (await readCases()).filter(({ name }) => PROOFS.includes(name))
  expect(cases.map(({ name }) => name).sort()).toEqual([...PROOFS].sort())
  const expected = await readAnswers()
  const found = await runAll(cases, side, (given) => untilAs(given, expected[given.name] ?? [], []))
  expect(tellCases(compareCases(cases, expected, found, [])), 'no longer as recorded').toBe('')
}

/** Writes down the answers of every case that is wanted. */
async function record(side: NodeSide): Promise<void> {
  const found = await runAll(await wantedCases(), side, untilQuiet)
  await writeAnswers(found)
  const failed = [...found.values()].filter((answer) => answer instanceof Error)
  expect(failed, 'cases that did not come to their end').toEqual([])
}

function isReady({ store }: NodeSide): boolean {
  const { conditions = [] } = (store.get({ resource: 'nodes', name: NODE })?.['status'] ?? {}) as {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
}

function renewTimeOf({ store }: NodeSide): unknown {
  const namespace = 'kube-node-lease'
  const lease = store.get({ resource: 'leases.coordination.k8s.io', namespace, name: NODE })
  return (lease?.['spec'] as { readonly renewTime?: string } | undefined)?.renewTime
}
