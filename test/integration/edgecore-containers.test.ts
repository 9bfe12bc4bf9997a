import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  CONTAINERD_REASON,
  type Containerd,
  hasContainerd,
  startContainerd,
} from '../containers/containerd.ts'
import { shellImage } from '../containers/images.ts'
import { skipUnless } from '../support/skip.ts'
import { checkContainedPod } from './contained-pod.ts'
import { runCli, TestFleet } from './fleet-programs.ts'
import { checkStaticPods } from './static-pods-check.ts'

let containerd: Containerd | undefined
let fleet: TestFleet

beforeAll(async () => {
  fleet = await TestFleet.create()
  await fleet.startCloud()
  if (hasContainerd()) containerd = await startContainerd([shellImage()])
})

afterAll(async () => {
  await fleet.close()
  await containerd?.close()
})

function engine(): readonly string[] {
  return ['--runtime', 'cri', '--runtime-endpoint', containerd?.socket ?? '']
}

/** How much of pods is on the machine. */
async function held(): Promise<number> {
  const left = await containerd?.leftovers()
  const shims = left?.processes.filter((line) => line.includes('containerd-shim')) ?? []
  return [...shims, ...(left?.namespaces ?? []), ...(left?.chains ?? [])].length
}

test('an engine that is not there is named', async () => {
  const missing = ['--runtime', 'cri', '--runtime-endpoint', '/nowhere/containerd.sock']
  const token = ['--token', await fleet.token('lonely')]
  const result = await runCli('edgecore', fleet.edgeArgs('lonely', [...token, ...missing]))
  expect(result.code).toBe(6)
  expect(result.stderr).toContain('RUNTIME_UNREACHABLE')
  expect(result.stderr).toContain('/nowhere/containerd.sock: there is no such socket (ENOENT)')
})

test('a pod of the cloud is a container, outlives edgecore and goes when it is deleted', async (context) => {
  skipUnless(context, containerd !== undefined, 'containerd', CONTAINERD_REASON)
  await checkContainedPod({
    fleet,
    node: 'edge-1',
    engine: engine(),
    runtimeName: 'containerd',
    network: containerd?.network ?? '',
    held,
  })
})

test('pods of a folder are containers with mirrors here and at the cloud, and outlive edgecore', async (context) => {
  skipUnless(context, containerd !== undefined, 'containerd', CONTAINERD_REASON)
  await checkStaticPods({ fleet, node: 'static-1', engine: engine(), held })
})
