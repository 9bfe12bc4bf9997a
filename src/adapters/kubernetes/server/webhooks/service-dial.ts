import { once } from 'node:events'
import { connect as tcpConnect } from 'node:net'
import type { Duplex } from 'node:stream'
import type { PodStreams } from '../../objects/pod-streams.ts'
import { ObjectError, type ObjectStore } from '../../objects/types.ts'
import { textAt } from '../json.ts'
import { StatusError } from '../status.ts'
import { serviceTarget } from '../streams/proxy-target.ts'
import { duplexOf } from '../streams/stream-duplex.ts'
import type { WebhookService } from './webhook.ts'

/**
 * Connects to a service as its pods are reached from here: through the runtime of this node, or through the
 * stream to the node that runs the pod. A service of another name leads to that name, and where there is no way
 * into pods its own address does.
 *
 * @throws Error why there is no connection, in the words of kube-apiserver.
 */
export async function dialService(
  { namespace, name, port }: WebhookService,
  store: Pick<ObjectStore, 'get' | 'list'>,
  streams: PodStreams | undefined,
): Promise<Duplex> {
  const service = store.get({ resource: 'services', namespace, name })
  if (service === undefined) throw new Error(`service ${JSON.stringify(name)} not found`)
  const isOutside = textAt(service, 'spec', 'type') === 'ExternalName'
  if (isOutside) return await dialHost(textAt(service, 'spec', 'externalName'), port)
  if (streams === undefined) return await dialHost(textAt(service, 'spec', 'clusterIP'), port)
  try {
    const target = serviceTarget(store, namespace, `https:${name}:${port}`, Math.random())
    return duplexOf(await streams.portForward({ namespace, pod: target.pod, port: target.port }))
  } catch (error) {
    const isNone = error instanceof StatusError && error.message.startsWith('no endpoints')
    if (isNone) throw new Error(`no endpoints available for service ${JSON.stringify(name)}`)
    if (error instanceof StatusError || error instanceof ObjectError) throw new Error(error.message)
    throw error
  }
}

async function dialHost(host: string, port: number): Promise<Duplex> {
  if (host === '' || host === 'None') throw new Error('service has no address')
  const socket = tcpConnect({ host, port })
  await once(socket, 'connect')
  return socket
}
