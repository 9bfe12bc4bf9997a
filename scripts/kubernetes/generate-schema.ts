// Writes src/adapters/kubernetes/server/schema/schema.json: names, numbers and types of the
// fields of every kind that the API serves, read from the struct tags of k8s.io/api
// (Apache-2.0). Only facts are taken, no prose. Needs Go for its module proxy client:
//
//   npx tsx scripts/kubernetes/generate-schema.ts
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type GoField,
  type GoTypes,
  moduleFolder,
  parseGo,
  resolveAlias,
  STAGING_VERSION,
} from './go-structs.ts'
import { PACKAGES, packageOf } from './packages.ts'

const TARGET = new URL('../../src/adapters/kubernetes/server/schema/schema.json', import.meta.url)

/** Types with an encoding of their own, in JSON or on the wire. */
const LEAVES: Readonly<Record<string, string>> = {
  'resource.Quantity': 'quantity',
  'intstr.IntOrString': 'intOrString',
  'meta.Time': 'time',
  'meta.MicroTime': 'microTime',
  'meta.Duration': 'duration',
  'meta.FieldsV1': 'fieldsV1',
  'runtime.RawExtension': 'raw',
  'apiextensions.JSON': 'json',
  'apiextensions.JSONSchemaPropsOrBool': 'schemaOrBool',
  'apiextensions.JSONSchemaPropsOrArray': 'schemaOrList',
  'apiextensions.JSONSchemaPropsOrStringArray': 'schemaOrNames',
}

const types: GoTypes = {
  structs: new Map(),
  aliases: new Map([
    ['types.UID', 'string'],
    ['types.NodeName', 'string'],
    ['core.ResourceList', 'map:resource.Quantity'],
    ['apiextensions.JSONSchemaDependencies', 'map:apiextensions.JSONSchemaPropsOrStringArray'],
    ['apiextensions.JSONSchemaDefinitions', 'map:apiextensions.JSONSchemaProps'],
  ]),
}
const resolve = (type: string): string => resolveAlias(types, type)

type Row = [name: string, number: number, type: string, flags: string, merge?: string]

function rowsOf(name: string, queue: string[]): Row[] {
  const struct = types.structs.get(name)
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
    const isOptional = flags.includes('o') || field.markers.includes('optional')
    const isRequired = !isOptional || field.markers.includes('required')
    // Only what does not follow from the tag is written down.
    if (isRequired === flags.includes('o') && !flags.includes('i')) flags += 'x'
    let shape = ''
    if (type === '[]byte') type = 'bytes'
    for (const [prefix, mark] of [
      ['[]', 'l'],
      ['map:', 'm'],
    ] as const) {
      if (shape === '' && type.startsWith(prefix)) {
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

for (const { name, module, folder, files } of PACKAGES) {
  const root = moduleFolder(module, STAGING_VERSION)
  for (const file of files)
    parseGo(types, name, readFileSync(join(root, folder, file), 'utf8'), packageOf)
}

const found: Record<string, { fields: Row[]; atomic?: true }> = {}
const queue = PACKAGES.flatMap(({ name, roots }) => roots.map((root) => `${name}.${root}`))
for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
  if (found[name] !== undefined) continue
  if (/^schemaOr/.test(name)) continue
  found[name] = {
    fields: rowsOf(name, queue),
    ...(types.structs.get(name)?.atomic === true ? { atomic: true } : {}),
  }
}
const lines = Object.keys(found)
  .sort()
  .map((name) => `${JSON.stringify(name)}:${JSON.stringify(found[name])}`)
const packages = PACKAGES.map(
  ({ name, group, version, openApi }) =>
    `${JSON.stringify(name)}:${JSON.stringify([group ?? null, version, openApi])}`,
)
writeFileSync(
  TARGET,
  `{"source":"k8s.io/api ${STAGING_VERSION}","packages":{\n${packages.join(',\n')}\n},"types":{\n${lines.join(',\n')}\n}}\n`,
)
