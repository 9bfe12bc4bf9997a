import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ApiClient } from '../../examples/shared/api-client.ts'
import { CONTAINERD_REASON, hasContainerd } from '../containers/containerd.ts'
import { skipUnless } from '../support/skip.ts'
import { FaultPlace, isReady, livingPod } from './fault-place.ts'
import { until } from './fleet-programs.ts'

/** The part of a node that is looked at. */
interface SeenNode {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string
      readonly status: string
      readonly reason?: string
      readonly message?: string
    }[]
  }
}

let place: FaultPlace | undefined

beforeAll(async () => {
  if (hasContainerd()) place = await FaultPlace.open({ runtime: 'cri' })
})

afterAll(async () => {
  const pid = place?.containerd?.pid
  if (pid !== undefined && pid > 0) process.kill(pid, 'SIGCONT')
  await place?.close()
})

async function readiness(api: ApiClient): Promise<string> {
  const node = (await api.expect('GET', '/api/v1/nodes/edge-1')) as unknown as SeenNode
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')
  return `${ready?.status} ${ready?.reason}: ${ready?.message}`
}

test('an engine that hangs makes its node not ready, and all goes on when it does', async (context) => {
  skipUnless(context, place !== undefined, 'containerd', CONTAINERD_REASON)
  const here = place as FaultPlace
  const own = await here.fleet.api('edge-1')
  await here.create(livingPod(here, 'before'))
  await here.create(livingPod(here, 'deleted'))
  await here.podWhere('before', isReady)
  await here.podWhere('deleted', isReady)
  const pid = here.containerd?.pid ?? 0
  process.kill(pid, 'SIGSTOP')
  await here.create(livingPod(here, 'meanwhile'))
  await here.delete('deleted')
  const down = 'False KubeletNotReady: container runtime is down'
  await until('the node not being ready', async () => (await readiness(here.api)) === down, 110_000)
  expect(await readiness(own)).toBe(down)
  // What nobody knows now is not said to be otherwise.
  expect(isReady(await here.podWhere('before', () => true))).toBe(true)

  process.kill(pid, 'SIGCONT')
  const up = 'True KubeletReady: kubelet is posting ready status'
  await until('the node being ready', async () => (await readiness(here.api)) === up, 60_000)
  const pods = await here.onlyReady(['before', 'meanwhile'])
  for (const { metadata, status } of pods) {
    expect(await here.lives(metadata.name)).toEqual({ begun: 1, overlaps: 0 })
    expect(status?.containerStatuses?.[0]?.restartCount).toBe(0)
  }
  await here.delete('before')
  await here.gone('meanwhile')
}, 300_000)
