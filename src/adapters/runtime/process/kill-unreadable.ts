import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import { isAlive } from '../process-table.ts'
import type { Cgroups } from './cgroup-files.ts'
import type { ContainerFiles } from './container-files.ts'
import { ProcessTree } from './process-tree.ts'

/** What {@link killUnreadable} works with. */
export interface KillContext {
  readonly cgroups: Cgroups | undefined
  readonly clock: Clock
  readonly logger: Logger
}

/** A container that nobody can know any more must not run on beside its replacement. */
export async function killUnreadable(
  { cgroups, clock, logger }: KillContext,
  id: string,
  files: ContainerFiles,
): Promise<void> {
  const claim = await files.claim().catch(() => undefined)
  if (claim === undefined || !(await isAlive(claim.pid, claim.start))) return
  logger.error('killing a container whose record is damaged', { id, pid: claim.pid })
  await new ProcessTree({ id, directory: files.directory, claim, cgroups, clock }).kill()
  await cgroups?.remove(id).catch(() => {})
}
