// Writes src/adapters/kubernetes/server/schema/schema.json: names, numbers and types of the
// fields of every kind that the API serves, read from the struct tags of k8s.io/api
// (Apache-2.0). Only facts are taken, no prose. Needs Go for its module proxy client:
//
//   npx tsx scripts/kubernetes/generate-schema.ts
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const VERSION = 'v0.34.2'
const TARGET = new URL('../../src/adapters/kubernetes/server/schema/schema.json', import.meta.url)

/** Kinds that a request may carry, and what they are made of is found from here. */
const ROOTS = [
  'core.Pod',
  'core.Node',
  'core.Namespace',
  'core.ConfigMap',
  'core.Secret',
  'core.Service',
  'core.ServiceAccount',
  'core.Event',
  'core.Binding',
  'apps.ReplicaSet',
  'coordination.Lease',
  'autoscaling.Scale',
  'policy.Eviction',
  'meta.DeleteOptions',
  'authorization.SelfSubjectAccessReview',
  'authentication.SelfSubjectReview',
] as const

const SOURCES: Readonly<Record<string, readonly [module: string, path: string]>> = {
  core: ['k8s.io/api', 'core/v1/types.go'],
  apps: ['k8s.io/api', 'apps/v1/types.go'],
  coordination: ['k8s.io/api', 'coordination/v1/types.go'],
  autoscaling: ['k8s.io/api', 'autoscaling/v1/types.go'],
  policy: ['k8s.io/api', 'policy/v1/types.go'],
  authorization: ['k8s.io/api', 'authorization/v1/types.go'],
  authentication: ['k8s.io/api', 'authentication/v1/types.go'],
  meta: ['k8s.io/apimachinery', 'pkg/apis/meta/v1/types.go'],
}

/** Types with an encoding of their own, in JSON or on the wire. */
const LEAVES: Readonly<Record<string, string>> = {
  'resource.Quantity': 'quantity',
  'intstr.IntOrString': 'intOrString',
  'meta.Time': 'time',
  'meta.MicroTime': 'microTime',
  'meta.Duration': 'duration',
  'meta.FieldsV1': 'fieldsV1',
  'runtime.RawExtension': 'raw',
}

const PACKAGES: Readonly<Record<string, string>> = {
  metav1: 'meta',
  v1: 'core',
  authenticationv1: 'authentication',
}
const SCALARS = new Set(['string', 'bool', 'int32', 'int64', 'float64', 'byte'])

interface Struct {
  readonly fields: readonly GoField[]
  readonly atomic: boolean
}
interface GoField {
  readonly type: string
  readonly json: string
  readonly tags: string
  readonly markers: readonly string[]
}

const structs = new Map<string, Struct>()
const aliases = new Map<string, string>([
  ['types.UID', 'string'],
  ['types.NodeName', 'string'],
])

function moduleFolder(module: string): string {
  const cwd = mkdtempSync(join(tmpdir(), 'schema-'))
  const out = execFileSync('go', ['mod', 'download', '-json', `${module}@${VERSION}`], {
    cwd,
    encoding: 'utf8',
  })
  return (JSON.parse(out) as { Dir: string }).Dir
}

function parseGo(pkg: string, text: string): void {
  let markers: string[] = []
  let open: { name: string; fields: GoField[]; atomic: boolean } | undefined
  for (const line of text.split('\n')) {
    const marker = /^\s*\/\/ \+(\w+(?:=\S+)?)/.exec(line)
    if (marker?.[1] !== undefined) {
      markers.push(marker[1])
      continue
    }
    if (/^\s*\/\//.test(line)) continue
    const struct = /^type (\w+) struct \{$/.exec(line)
    const alias = /^type (\w+) ([\w.[\]*]+)$/.exec(line)
    const field = /^\t(?:(\w+) +|\t*)?([\w.[\]*]+)\s+`(.*)`/.exec(line)
    if (struct?.[1] !== undefined) {
      open = {
        name: `${pkg}.${struct[1]}`,
        fields: [],
        atomic: markers.includes('structType=atomic'),
      }
    } else if (alias?.[1] !== undefined && alias[2] !== undefined) {
      aliases.set(`${pkg}.${alias[1]}`, qualify(pkg, alias[2]))
    } else if (open !== undefined && line === '}') {
      structs.set(open.name, { fields: open.fields, atomic: open.atomic })
      open = undefined
    } else if (open !== undefined && field?.[2] !== undefined && field[3] !== undefined) {
      const json = /json:"([^"]*)"/.exec(field[3])?.[1] ?? ''
      open.fields.push({ type: qualify(pkg, field[2]), json, tags: field[3], markers })
    }
    markers = []
  }
}

/** `*[]Container` in package core becomes `*[]core.Container`. */
function qualify(pkg: string, type: string): string {
  return type
    .replace(/map\[[\w.]+\]/g, 'map:')
    .replace(/\b([a-zA-Z]\w*)(\.\w+)?/g, (all, first: string, rest?: string) => {
      if (rest !== undefined) return `${PACKAGES[first] ?? first}${rest}`
      return first === 'map' || SCALARS.has(first) ? all : `${pkg}.${first}`
    })
}

function resolve(type: string): string {
  let at = type
  for (let depth = 0; depth < 4; depth++) {
    const target = aliases.get(at)
    if (target === undefined) break
    at = target
  }
  return at
}

type Row = [name: string, number: number, type: string, flags: string, merge?: string]

function rowsOf(name: string, queue: string[]): Row[] {
  const struct = structs.get(name)
  if (struct === undefined) throw new Error(`unknown struct ${name}`)
  return struct.fields.flatMap((field): Row[] => {
    const number = Number(/protobuf:"\w+,(\d+)/.exec(field.tags)?.[1] ?? 0)
    const [json = '', ...options] = field.json.split(',')
    if (field.type === 'meta.TypeMeta') return []
    if (number === 0) throw new Error(`no number: ${name} ${field.json}`)
    let flags = options.includes('omitempty') ? 'o' : ''
    let type = resolve(field.type)
    if (type.startsWith('*')) {
      flags += 'p'
      type = resolve(type.slice(1))
    }
    if (options.includes('inline')) flags += 'i'
    let shape = ''
    if (type === '[]byte') type = 'bytes'
    for (const [prefix, mark] of [
      ['[]', 'l'],
      ['map:', 'm'],
    ] as const) {
      if (type.startsWith(prefix)) {
        shape = mark
        type = resolve(type.slice(prefix.length))
      }
    }
    if (type === '[]byte') type = 'bytes'
    type = LEAVES[type] ?? type
    if (type.includes('.')) queue.push(type)
    const merge = mergeOf(field, shape)
    return merge === ''
      ? [[json, number, type, flags + shape]]
      : [[json, number, type, flags + shape, merge]]
  })
}

/** `map:name;patch:name;retainKeys`, empty when the list or struct is one value. */
function mergeOf(field: GoField, shape: string): string {
  const marker = (key: string): string[] =>
    field.markers.filter((m) => m.startsWith(`${key}=`)).map((m) => m.slice(key.length + 1))
  const parts: string[] = []
  const type = marker('listType')[0]
  if (type === 'map') parts.push(`map:${marker('listMapKey').join(',')}`)
  if (type === 'set') parts.push('set')
  const strategy = /patchStrategy:"([^"]*)"/.exec(field.tags)?.[1] ?? ''
  const key = /patchMergeKey:"([^"]*)"/.exec(field.tags)?.[1] ?? ''
  if (shape === 'l' && strategy.includes('merge')) parts.push(`patch:${key}`)
  if (strategy.includes('retainKeys')) parts.push('retainKeys')
  if (shape !== 'l' && strategy === 'replace') parts.push('replace')
  if (marker('mapType')[0] === 'atomic' || marker('structType')[0] === 'atomic')
    parts.push('atomic')
  return parts.join(';')
}

const folders = new Map<string, string>()
for (const [pkg, [module, path]] of Object.entries(SOURCES)) {
  const folder = folders.get(module) ?? moduleFolder(module)
  folders.set(module, folder)
  parseGo(pkg, readFileSync(join(folder, path), 'utf8'))
}

const types: Record<string, { fields: Row[]; atomic?: true }> = {}
const queue: string[] = [...ROOTS]
for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
  if (types[name] !== undefined) continue
  types[name] = {
    fields: rowsOf(name, queue),
    ...(structs.get(name)?.atomic === true ? { atomic: true } : {}),
  }
}
const lines = Object.keys(types)
  .sort()
  .map((name) => `${JSON.stringify(name)}:${JSON.stringify(types[name])}`)
writeFileSync(TARGET, `{"source":"k8s.io/api ${VERSION}","types":{\n${lines.join(',\n')}\n}}\n`)
