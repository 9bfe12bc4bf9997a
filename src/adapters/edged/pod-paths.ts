import { join } from 'node:path'

/** Where the files of one pod are. The uid keeps a pod apart from a later one of the same name. */
export interface PodPaths {
  /** Volumes and whatever else goes with the pod. */
  readonly directory: string
  /** The logs of its containers. */
  readonly logs: string
}

/** The paths of a pod below edged's directory. */
export function podPaths(
  directory: string,
  pod: { readonly namespace: string; readonly name: string; readonly uid: string },
): PodPaths {
  return {
    directory: join(directory, 'pods', pod.uid),
    logs: join(directory, 'logs', `${pod.namespace}_${pod.name}_${pod.uid}`),
  }
}

/** The log of one run of a container. */
export function logPath(paths: PodPaths, container: string, attempt: number): string {
  return join(paths.logs, container, `${attempt}.log`)
}
