import type { PodRuntime } from 'tideway/adapters/runtime'

/** How long a container may take to stop before it is killed. */
const GRACE_MS = 10_000

/** Stops every container of a runtime and forgets its pods. Where they are wanted, they start anew. */
export async function stopPods(runtime: PodRuntime): Promise<number> {
  const { containers, sandboxes } = await runtime.list()
  const running = containers.filter((container) => container.state !== 'exited')
  await Promise.all(running.map((container) => runtime.stopContainer(container.id, GRACE_MS)))
  await Promise.all(sandboxes.map((sandbox) => runtime.removeSandbox(sandbox.id)))
  return sandboxes.length
}
