import type { KubeObject } from 'tideway/adapters/kubernetes/objects'
import { ApiClient, readAccess } from '../shared/api-client.ts'
import { nodeNameOf } from '../shared/fleet-rules.ts'
import { EXIT, ProgramError } from '../shared/program-error.ts'
import { isAlive, readStatus } from './status-file.ts'

/**
 * What `edgecore status` prints.
 *
 * @throws ProgramError `NOT_RUNNING` when no edgecore runs with the directory.
 */
export async function describeEdge(directory: string): Promise<string> {
  const status = await readStatus(directory)
  if (status === undefined || !isAlive(status) || status.api === '') {
    const last =
      status?.lastSyncAt === undefined || status.lastSyncAt === ''
        ? ''
        : ` (last in sync at ${status.lastSyncAt})`
    throw new ProgramError(
      'NOT_RUNNING',
      EXIT.unreachable,
      `no edgecore runs with the data directory ${directory}${last}; its pods may run all the same`,
      { fields: { directory } },
    )
  }
  const api = new ApiClient(await readAccess(directory, 'edgecore'), 'edgecore', directory)
  const { items } = await api.expect('GET', '/api/v1/pods')
  const pods = (Array.isArray(items) ? (items as KubeObject[]) : []).filter(
    (pod) => nodeNameOf('pods', pod) === status.node,
  )
  const lines = [
    ['node', status.node],
    ['fleet', status.fleet],
    ['process', String(status.pid)],
    ['API', status.api],
    ['cloud', status.error === '' ? status.connection : `${status.connection}: ${status.error}`],
    ['last sync', status.lastSyncAt === '' ? 'never' : status.lastSyncAt],
    ['pods', String(pods.length)],
    ...pods.map((pod) => ['', `${pod.metadata.namespace}/${pod.metadata.name}  ${phaseOf(pod)}`]),
  ]
  return `${lines.map(([name = '', value = '']) => `${name.padEnd(10)} ${value}`).join('\n')}\n`
}

function phaseOf(pod: KubeObject): string {
  const { phase } = (pod['status'] ?? {}) as { readonly phase?: unknown }
  return pod.metadata.deletionTimestamp === undefined ? String(phase ?? 'Pending') : 'Terminating'
}
