import type { KubeObject } from '../kubernetes/objects/types.ts'
import type { ConfigSource } from './environment/env.ts'
import { serviceVariables } from './environment/link-variables.ts'
import { asTextMap } from './json.ts'
import type { PodContext } from './pod-context.ts'
import { type TokenResult, tokenKey } from './pod-tokens.ts'
import type { PodView } from './pod-view.ts'

/** The config map that Kubernetes puts into each namespace for clients in pods. */
const ROOT_CA = 'kube-root-ca.crt'
const CA_KEY = 'ca.crt'

/** Where the variables and the files of a pod come from. */
export function sourceOf(
  context: PodContext,
  pod: PodView,
  tokens: ReadonlyMap<string, TokenResult> = new Map(),
): ConfigSource {
  const { namespace } = pod
  const get = (resource: string, name: string): KubeObject | undefined =>
    context.store.get({ resource, namespace, name })
  return {
    configMap: (name) => {
      const found = get('configmaps', name)
      const caPem = name === ROOT_CA ? context.api?.caPem : undefined
      return caPem === undefined ? found : withAuthority(found, namespace, caPem)
    },
    secret: (name) => get('secrets', name),
    accountToken: (audience, seconds) =>
      tokens.get(tokenKey(audience, seconds)) ?? { problem: 'failed to fetch token' },
  }
}

/** Pods here talk to the API of this node, and may talk to that of the cloud: they believe both. */
function withAuthority(
  found: KubeObject | undefined,
  namespace: string,
  caPem: string,
): KubeObject {
  const data = asTextMap(found?.['data'])
  const known = data[CA_KEY]?.trim() ?? ''
  const own = caPem.trim()
  // Both are bundles: where one holds the other, it is enough.
  const bundle = known.includes(own) ? known : known === '' ? own : `${own}\n${known}`
  const object: KubeObject = found ?? {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: ROOT_CA, namespace },
  }
  return { ...object, data: { ...data, [CA_KEY]: `${bundle}\n` } }
}

/** The variables for services that the containers of a pod get. */
export function linksOf(context: PodContext, pod: PodView): Readonly<Record<string, string>> {
  const { store, api } = context
  const isThere = store.resource('services') !== undefined
  const own = isThere ? store.list('services', pod.namespace).items : []
  const key = { resource: 'services', namespace: 'default', name: 'kubernetes' }
  const ofApi = isThere && pod.namespace !== 'default' ? store.get(key) : undefined
  const services = ofApi === undefined ? own : [ofApi, ...own]
  const links = pod.spec['enableServiceLinks'] !== false
  return serviceVariables(services, pod.namespace, links, api)
}
