import type { ContainerStatus, SandboxStatus } from '../runtime/index.ts'

/** What kubelet says when the sandbox of a pod has ended under it. */
export const SANDBOX_CHANGED: { readonly reason: string; readonly message: string } = {
  reason: 'SandboxChanged',
  message: 'Pod sandbox changed, it will be killed and re-created.',
}

/** The sandbox of a pod that has ended: whatever is left in it is to end, and another is made. */
export function lostSandbox(sandboxes: readonly SandboxStatus[]): SandboxStatus | undefined {
  const [newest] = sandboxes
  return newest?.ready === false ? newest : undefined
}

/**
 * Whether a run belongs to the sandbox that the pod has now: what init containers did in one that has
 * ended is gone with it.
 */
export function isInSandbox(sandboxes: readonly SandboxStatus[], run: ContainerStatus): boolean {
  const [newest] = sandboxes
  return newest === undefined || (newest.ready && newest.id === run.sandboxId)
}

/** Ended sandboxes of a pod that hold nothing any more, and that another has taken the place of. */
export function emptySandboxes(
  sandboxes: readonly SandboxStatus[],
  runs: readonly ContainerStatus[],
): readonly SandboxStatus[] {
  return sandboxes
    .slice(1)
    .filter(({ id, ready }) => !ready && !runs.some(({ sandboxId }) => sandboxId === id))
}
