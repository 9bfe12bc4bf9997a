import { mapsAt, numberAt, textAt } from '../../kubernetes/objects/read.ts'
import type { KubeObject } from '../../kubernetes/objects/types.ts'

/** Where pods reach the Kubernetes API. */
export interface ApiPlace {
  /** An address or a name, as it stands in KUBERNETES_SERVICE_HOST. */
  readonly host: string
  readonly port: number
}

/** The service through which pods find the API, in the namespace default. */
const API_SERVICE = 'kubernetes'

/**
 * The variables that tell the containers of a pod where services are (pkg/kubelet/envvars): always that
 * of the API, and with `links` every service of the namespace that has an address.
 *
 * @param api where the API is reached from this node; without it, where the service of the API says.
 */
export function serviceVariables(
  services: readonly KubeObject[],
  namespace: string,
  links: boolean,
  api: ApiPlace | undefined,
): Readonly<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const service of services) {
    const isApi = isApiService(service)
    if (isApi && api !== undefined) continue
    if (isApi || (links && service.metadata.namespace === namespace)) {
      const address = textAt(service, 'spec', 'clusterIP') ?? 'None'
      if (address !== 'None') addService(found, service.metadata.name, address, portsOf(service))
    }
  }
  if (api !== undefined) {
    const ports = [{ name: 'https', port: api.port, protocol: 'TCP' }]
    addService(found, API_SERVICE, api.host, ports)
  }
  return found
}

interface ServicePort {
  readonly name: string | undefined
  readonly port: number
  readonly protocol: string
}

function isApiService({ metadata }: KubeObject): boolean {
  return metadata.namespace === 'default' && metadata.name === API_SERVICE
}

function portsOf(service: KubeObject): readonly ServicePort[] {
  return mapsAt(service, 'spec', 'ports').map((port) => ({
    name: textAt(port, 'name'),
    port: numberAt(port, 'port') ?? 0,
    protocol: textAt(port, 'protocol') ?? 'TCP',
  }))
}

function addService(
  found: Record<string, string>,
  service: string,
  address: string,
  ports: readonly ServicePort[],
): void {
  const [first] = ports
  if (first === undefined) return
  const prefix = variableName(service)
  found[`${prefix}_SERVICE_HOST`] = address
  found[`${prefix}_SERVICE_PORT`] = String(first.port)
  const place = address.includes(':') ? `[${address}]` : address
  const url = ({ port, protocol }: ServicePort): string =>
    `${protocol.toLowerCase()}://${place}:${port}`
  found[`${prefix}_PORT`] = url(first)
  for (const port of ports) {
    if (port.name !== undefined)
      found[`${prefix}_SERVICE_PORT_${variableName(port.name)}`] = String(port.port)
    const own = `${prefix}_PORT_${port.port}_${port.protocol.toUpperCase()}`
    found[own] = url(port)
    found[`${own}_PROTO`] = port.protocol.toLowerCase()
    found[`${own}_PORT`] = String(port.port)
    found[`${own}_ADDR`] = address
  }
}

function variableName(text: string): string {
  return text.replaceAll('-', '_').toUpperCase()
}
