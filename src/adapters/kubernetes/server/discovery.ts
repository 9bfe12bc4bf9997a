import { createHash } from 'node:crypto'
import type { JsonObject } from '../objects/types.ts'
import { apiVersionOf, type Catalog, type Served } from './catalog.ts'
import { notAcceptable, parseAccept, requireAcceptable } from './negotiate.ts'

/** What discovery is answered with where it is not the whole of it at once. */
const PLAIN = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']

const STORAGE_HASH_BYTES = 8

/** A discovery document and the media type to send it with. */
export interface Discovery {
  readonly contentType: string
  readonly body: JsonObject
}

/**
 * The answer to a discovery path: `/api`, `/apis`, `/api/v1`, `/apis/GROUP`, `/apis/GROUP/VERSION`.
 *
 * @param address where this server is reached, for `/api`.
 * @returns undefined when nothing is served there.
 */
export function discover(
  catalog: Catalog,
  path: string,
  accept: string | undefined,
  address: string,
): Discovery | undefined {
  const [root, group, version, more] = path.split('/').filter((part) => part !== '')
  if (more !== undefined) return undefined
  if (root === 'api') {
    if (group === undefined) {
      requireAcceptable(accept, PLAIN)
      return aggregated(catalog, true, accept) ?? json(coreVersions(address))
    }
    return version === undefined ? resourceList(catalog, '', group) : undefined
  }
  if (root !== 'apis') return undefined
  if (group === undefined) {
    requireAcceptable(accept, PLAIN)
    return aggregated(catalog, false, accept) ?? json(groupList(catalog))
  }
  if (version !== undefined) return resourceList(catalog, group, version)
  return groupsOf(catalog).includes(group) && group !== ''
    ? json({ kind: 'APIGroup', apiVersion: 'v1', ...groupOf(catalog, group) })
    : undefined
}

function json(body: JsonObject): Discovery {
  return { contentType: 'application/json', body }
}

function groupsOf(catalog: Catalog): readonly string[] {
  return [...new Set(catalog.all.map((served) => served.group))]
}

function versionsOf(catalog: Catalog, group: string): readonly string[] {
  return [
    ...new Set(
      catalog.all.filter((served) => served.group === group).map((served) => served.version),
    ),
  ]
}

function aggregated(
  catalog: Catalog,
  isCore: boolean,
  accept: string | undefined,
): Discovery | undefined {
  for (const { type, parameters } of parseAccept(accept)) {
    const version = parameters.get('v')
    const isAsked =
      parameters.get('as') === 'APIGroupDiscoveryList' &&
      parameters.get('g') === 'apidiscovery.k8s.io'
    if (type === 'application/json' && isAsked && (version === 'v2' || version === 'v2beta1')) {
      const groups = groupsOf(catalog).filter((group) => (group === '') === isCore)
      return {
        contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
        body: {
          kind: 'APIGroupDiscoveryList',
          apiVersion: `apidiscovery.k8s.io/${version}`,
          metadata: {},
          items: groups.map((group) => groupDiscovery(catalog, group)),
        },
      }
    }
    if (!parameters.has('as') && (PLAIN.includes(type) || type.endsWith('/*'))) return undefined
  }
  throw notAcceptable()
}

function groupDiscovery(catalog: Catalog, group: string): JsonObject {
  return {
    metadata: group === '' ? {} : { name: group },
    versions: versionsOf(catalog, group).map((version) => ({
      version,
      freshness: 'Current',
      resources: servedIn(catalog, group, version).map(resourceDiscovery),
    })),
  }
}

function servedIn(catalog: Catalog, group: string, version: string): readonly Served[] {
  return catalog.all.filter((served) => served.group === group && served.version === version)
}

interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

function resourceDiscovery(served: Served): JsonObject {
  // Group and version are said only where they are not those that the resource is listed under.
  const kindOf = ({ group, version, kind }: GroupVersionKind): JsonObject =>
    group === served.group && version === served.version
      ? { group: '', version: '', kind }
      : { group, version, kind }
  return {
    resource: served.plural,
    responseKind: kindOf(served),
    scope: served.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: served.singular,
    verbs: served.verbs,
    ...(served.shortNames.length === 0 ? {} : { shortNames: served.shortNames }),
    ...(served.categories.length === 0 ? {} : { categories: served.categories }),
    ...(served.subresources.length === 0
      ? {}
      : {
          subresources: served.subresources.map((part) => ({
            subresource: part.name,
            responseKind: kindOf(part),
            verbs: part.verbs,
          })),
        }),
  }
}

function coreVersions(address: string): JsonObject {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
  }
}

function groupOf(catalog: Catalog, group: string): JsonObject {
  const versions = versionsOf(catalog, group).map((version) => ({
    groupVersion: `${group}/${version}`,
    version,
  }))
  return { name: group, versions, preferredVersion: versions[0] }
}

function groupList(catalog: Catalog): JsonObject {
  const groups = groupsOf(catalog).filter((group) => group !== '')
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.map((group) => groupOf(catalog, group)),
  }
}

function resourceList(catalog: Catalog, group: string, version: string): Discovery | undefined {
  const all = servedIn(catalog, group, version)
  if (all.length === 0) return undefined
  return json({
    kind: 'APIResourceList',
    // The core group, which is older than the rest, leaves it out.
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersionOf({ group, version }),
    resources: all.flatMap(legacyResources),
  })
}

/** Tells clients when the version in which objects are kept changes. */
function hashOf({ group, version, kind }: GroupVersionKind): string {
  const hash = createHash('sha256').update(`${group}/${version}/${kind}`).digest()
  return hash.subarray(0, STORAGE_HASH_BYTES).toString('base64')
}

function legacyResources(served: Served): readonly JsonObject[] {
  const own: JsonObject = {
    name: served.plural,
    singularName: served.singular,
    namespaced: served.namespaced,
    kind: served.kind,
    verbs: served.verbs,
    ...(served.shortNames.length === 0 ? {} : { shortNames: served.shortNames }),
    ...(served.categories.length === 0 ? {} : { categories: served.categories }),
    // What is not kept has no version in which it is.
    ...(served.resource === undefined || served.resource.verbs !== undefined
      ? {}
      : { storageVersionHash: hashOf(served.resource) }),
  }
  const parts = served.subresources.map(
    (part): JsonObject => ({
      name: `${served.plural}/${part.name}`,
      singularName: '',
      namespaced: served.namespaced,
      ...(part.group === served.group ? {} : { group: part.group, version: part.version }),
      kind: part.kind,
      verbs: part.verbs,
    }),
  )
  return [own, ...parts]
}
