import { createHash } from 'node:crypto'
import { type ContainerSpec, RuntimeError } from '../index.ts'
import type { ContainerRecord } from './container-files.ts'

/** The id of a container: always the same for the same pod, name and attempt, so there is never a twin. */
export function containerId(podUid: string, name: string, attempt: number): string {
  return createHash('sha256').update(`${podUid}/${name}/${attempt}`).digest('hex')
}

/** What is kept of a container. Variables are left out: they may hold secrets. */
export function recordOf(
  sandbox: { readonly id: string; readonly uid: string },
  spec: ContainerSpec,
  now: Pick<ContainerRecord, 'workingDir' | 'createdAtMs' | 'bootId'>,
): ContainerRecord {
  return {
    version: 1,
    id: containerId(sandbox.uid, spec.name, spec.attempt),
    sandboxId: sandbox.id,
    podUid: sandbox.uid,
    name: spec.name,
    attempt: spec.attempt,
    image: spec.image,
    command: [...spec.command, ...spec.args],
    mounts: spec.mounts,
    limits: spec.limits,
    ...(spec.security === undefined ? {} : { security: spec.security }),
    logPath: spec.logPath,
    labels: spec.labels,
    ...now,
  }
}

/** A container without a command, where images are not run. */
export function commandRequired(spec: ContainerSpec): RuntimeError {
  return new RuntimeError(
    'CommandRequired',
    `container "${spec.name}" has no command: this runtime starts plain processes and does not run ` +
      `images, so "${spec.image}" is only a name; set "command" to a program of this machine`,
  )
}
