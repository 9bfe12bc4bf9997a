import type { PodRuntime } from 'tideway/adapters/runtime'

/** How long a container may take to stop before it is killed. */
const GRACE_MS = 10_000

/**
 * Stops every container of a runtime and forgets its pods. Where they are wanted, they start anew.
 *
 * @throws RuntimeError when a pod is left, once all the others are gone.
 */
export async function stopPods(runtime: PodRuntime): Promise<number> {
  const { containers, sandboxes } = await runtime.list()
  const running = containers.filter((container) => container.state !== 'exited')
  // Whatever does not end in time is killed with its sandbox.
  await Promise.allSettled(running.map(({ id }) => runtime.stopContainer(id, GRACE_MS)))
  const removals = await Promise.allSettled(sandboxes.map(({ id }) => runtime.removeSandbox(id)))
  const failed = removals.find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
  return sandboxes.length
}
