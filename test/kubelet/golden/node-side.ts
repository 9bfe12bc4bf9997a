import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import type { Containerd } from '../../containers/containerd.ts'
import type { IdentityServer } from '../../support/identity-server.ts'
import type { CasePlaces } from './case-files.ts'

/** The name of the node, under both agents. */
export const NODE = 'edge-1'

/** A node that runs pods of an API: under kubelet, or under edged. */
export interface NodeSide {
  readonly server: IdentityServer
  readonly store: OpenObjectStore
  readonly containerd: Containerd
  readonly places: Omit<CasePlaces, 'grpcPort'>
  /** The folder of its static pods. */
  readonly manifests: string
  /** Where the logs of pods are: `NAMESPACE_POD_UID/CONTAINER/ATTEMPT.log`. */
  readonly podLogs: string
  /** The place of each event among all, by its name: their own times are whole seconds. */
  readonly told: ReadonlyMap<string, number>
}

/** What the last run of each container has written, by container and run; without the times. */
export async function outputOf(
  side: Pick<NodeSide, 'podLogs'>,
  pod: { readonly name: string; readonly uid: string },
): Promise<Readonly<Record<string, string>>> {
  const folder = join(side.podLogs, `default_${pod.name}_${pod.uid}`)
  const output: Record<string, string> = {}
  for (const container of (await readdir(folder).catch(() => [])).sort()) {
    // How long the logs of earlier runs are kept is for each agent to say.
    const runs = (await readdir(join(folder, container)).catch(() => [])).filter(isLog).sort()
    const name = runs.at(-1)
    if (name === undefined) continue
    const text = await readFile(join(folder, container, name), 'utf8').catch(() => '')
    output[`${container} ${name.slice(0, -4)}`] = linesOf(text)
  }
  return output
}

function isLog(name: string): boolean {
  return /^\d+\.log$/.test(name)
}

/** The lines of a log that an engine has written: a time, the stream, whole or part, the text. */
function linesOf(log: string): string {
  return log.replace(/^\S+ (?:stdout|stderr) ([FP]) (.*)\n/gm, (_all, end, text) =>
    end === 'F' ? `${text}\n` : `${text}`,
  )
}
