// Writes src/adapters/kubernetes/objects/resources.json: which resources there are, how they are
// named, which parts have paths of their own, which are counted and which lists in them merge.
// Names come from the discovery documents of a running kube-apiserver, the rest from schema.json
// and the Go sources of k8s.io/kubernetes (Apache-2.0). Only facts are taken, no prose.
//
//   npx tsx scripts/kubernetes/generate-resources.ts https://127.0.0.1:6443 TOKEN
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { KUBERNETES_VERSION, moduleFolder } from './go-structs.ts'
import { PACKAGES } from './packages.ts'

const SCHEMA = new URL('../../src/adapters/kubernetes/server/schema/schema.json', import.meta.url)
const TARGET = new URL('../../src/adapters/kubernetes/objects/resources.json', import.meta.url)

interface Part {
  readonly subresource: string
  readonly responseKind: { readonly group: string; readonly version: string; readonly kind: string }
  readonly verbs: readonly string[]
}
interface Discovered {
  readonly resource: string
  readonly singularResource: string
  readonly responseKind: { readonly kind: string }
  readonly scope: 'Namespaced' | 'Cluster'
  readonly verbs: readonly string[]
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly subresources?: readonly Part[]
}
interface Group {
  readonly metadata: { readonly name?: string }
  readonly versions: readonly {
    readonly version: string
    readonly resources: readonly Discovered[]
  }[]
}
type FieldRow = readonly [name: string, number: number, type: string, flags: string, merge?: string]

const schema = JSON.parse(readFileSync(SCHEMA, 'utf8')) as {
  readonly types: Readonly<Record<string, { readonly fields: readonly FieldRow[] }>>
}

/** Where other versions of a resource, or another group, serve the same documents. */
const HUBS: Readonly<Record<string, string>> = {
  'events.k8s.io/v1/events': 'events',
  'autoscaling/v1/horizontalpodautoscalers': 'horizontalpodautoscalers.autoscaling',
}

function fetchJson(server: string, token: string, path: string): Promise<{ items: Group[] }> {
  const headers = {
    Authorization: `Bearer ${token}`,
    Accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  }
  return new Promise((resolve, reject) => {
    request(new URL(path, server), { headers, rejectUnauthorized: false }, (response) => {
      let text = ''
      response.on('data', (piece: Buffer) => {
        text += piece.toString()
      })
      response.on('end', () => resolve(JSON.parse(text) as { items: Group[] }))
    })
      .on('error', reject)
      .end()
  })
}

/** Kinds whose strategy sets metadata.generation. */
function countedKinds(): ReadonlySet<string> {
  const root = join(moduleFolder('k8s.io/kubernetes', `v${KUBERNETES_VERSION}`), 'pkg/registry')
  const counted = new Set<string>(['customresourcedefinition'])
  for (const group of readdirSync(root, { withFileTypes: true })) {
    if (!group.isDirectory()) continue
    for (const kind of readdirSync(join(root, group.name))) {
      const file = join(root, group.name, kind, 'strategy.go')
      if (existsSync(file) && readFileSync(file, 'utf8').includes('.Generation = 1'))
        counted.add(kind)
    }
  }
  return counted
}

/** `m:name,ip` and `s` for lists that merge, `>type` for what is inside; undefined: one value. */
function listOf([, , type, flags, merge = '']: FieldRow): string | undefined {
  const inner = hasLists(type, []) ? `>${type}` : ''
  if (flags.includes('l')) {
    const keys = merge.split(';').find((part) => part.startsWith('map:'))
    if (keys !== undefined) return `m:${keys.slice(4)}${inner}`
    return merge.split(';').includes('set') ? 's' : undefined
  }
  const isPlain = !flags.includes('m') && !merge.split(';').includes('atomic')
  return isPlain && inner !== '' ? inner : undefined
}

function hasLists(type: string, within: readonly string[]): boolean {
  const struct = schema.types[type]
  if (struct === undefined || type === 'meta.ObjectMeta' || within.includes(type)) return false
  return struct.fields.some(([, , inner, flags, merge = '']) => {
    if (flags.includes('l')) return /(^|;)(map:|set)/.test(merge)
    return !flags.includes('m') && hasLists(inner, [...within, type])
  })
}

const structs: Record<string, Record<string, string>> = {}
function addStruct(type: string): void {
  if (structs[type] !== undefined || !hasLists(type, [])) return
  const entries: Record<string, string> = {}
  structs[type] = entries
  for (const row of schema.types[type]?.fields ?? []) {
    const list = listOf(row)
    if (list === undefined) continue
    const name = row[3].includes('i') ? '' : row[0]
    entries[name] = list
    const inner = list.split('>')[1]
    if (inner !== undefined) addStruct(inner)
  }
}

function mapsOf(type: string): readonly string[] {
  return (schema.types[type]?.fields ?? []).flatMap(([name, , inner, flags]) => {
    const isPart = (name === 'spec' || name === 'status') && schema.types[inner] !== undefined
    const isMap = flags.includes('m') && name !== 'stringData'
    return isPart || isMap ? [name] : []
  })
}

const [server = '', token = ''] = process.argv.slice(2)
const groups = [
  ...(await fetchJson(server, token, '/api')).items,
  ...(await fetchJson(server, token, '/apis')).items,
]
const counted = countedKinds()
const resources: Record<string, unknown>[] = []
const views: Record<string, unknown>[] = []
for (const { metadata, versions } of groups) {
  const group = metadata.name ?? ''
  for (const { version, resources: all } of versions) {
    const pack = PACKAGES.find((known) => known.group === group && known.version === version)
    for (const found of all) {
      const { kind } = found.responseKind
      if (pack === undefined || !pack.roots.includes(kind)) continue
      if (!found.verbs.includes('watch')) continue
      const hub = HUBS[`${group}/${version}/${found.resource}`]
      if (hub !== undefined) {
        views.push({ hub, group, version })
        continue
      }
      const type = `${pack.name}.${kind}`
      addStruct(type)
      resources.push({
        group,
        version,
        kind,
        plural: found.resource,
        singular: found.singularResource,
        namespaced: found.scope === 'Namespaced',
        ...(found.shortNames === undefined ? {} : { shortNames: found.shortNames }),
        ...(found.categories === undefined ? {} : { categories: found.categories }),
        ...(counted.has(kind.toLowerCase()) ? { counted: true } : {}),
        maps: mapsOf(type),
        ...(structs[type] === undefined ? {} : { type }),
        ...(found.subresources === undefined
          ? {}
          : {
              parts: found.subresources.map(({ subresource, responseKind, verbs }) => [
                subresource,
                responseKind.group,
                responseKind.version,
                responseKind.kind,
                verbs.join(' '),
              ]),
            }),
      })
    }
  }
}
const lines = (values: readonly unknown[]): string =>
  values.map((value) => JSON.stringify(value)).join(',\n')
const structLines = Object.keys(structs)
  .sort()
  .map((name) => `${JSON.stringify(name)}:${JSON.stringify(structs[name])}`)
const order = groups.flatMap(({ metadata, versions }) =>
  versions.map(({ version }) => `${metadata.name ?? ''}/${version}`),
)
writeFileSync(
  TARGET,
  `{"source":"kubernetes v${KUBERNETES_VERSION}","groups":${JSON.stringify(order)},"resources":[\n${lines(resources)}\n],"views":[\n${lines(views)}\n],"structs":{\n${structLines.join(',\n')}\n}}\n`,
)
