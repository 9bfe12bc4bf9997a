import type { Json } from '../../objects/types.ts'
import table from './schema.json' with { type: 'json' }

/** One field of a Kubernetes type, from the struct tags of k8s.io/api. */
export interface Field {
  readonly name: string
  readonly number: number
  /**
   * A scalar (`string`, `quantity` and so on) or the name of a {@link StructType}: of the item, in
   * lists and maps.
   */
  readonly type: string
  readonly shape: 'one' | 'list' | 'map'
  /** Whether absent and zero differ. */
  readonly pointer: boolean
  /** Whether a zero value is left out of the JSON. */
  readonly omitEmpty: boolean
  /** Whether an object is only whole with it. */
  readonly required: boolean
  /** The fields that name an item of an associative list. */
  readonly listKeys: readonly string[] | undefined
  readonly set: boolean
  /** The merge key of a strategic merge patch; empty for a list of scalars that merges. */
  readonly patchKey: string | undefined
  readonly retainKeys: boolean
  /** Whether the value has one owner as a whole. */
  readonly atomic: boolean
  /** What it is made of, where no name stands for that: in kinds that definitions define. */
  readonly struct?: StructType | undefined
  /** Values that stand for an absent list key. */
  readonly keyDefaults?: Readonly<Record<string, Json>> | undefined
}

/** A struct of k8s.io/api. */
export interface StructType {
  readonly name: string
  readonly atomic: boolean
  /** By JSON name; the fields of inlined structs are among them. */
  readonly fields: ReadonlyMap<string, Field>
  /** What every field is that `fields` does not name; undefined where there is no other. */
  readonly rest?: Field | undefined
  /** By number on the wire; an inlined struct is a message of its own there. */
  readonly wire: ReadonlyMap<number, Field | { readonly inline: StructType }>
  /** The numbers of `wire`, rising. */
  readonly numbers: readonly number[]
}

type Row = readonly [name: string, number: number, type: string, flags: string, merge?: string]
const TYPES = table.types as unknown as Readonly<
  Record<string, { fields: readonly Row[]; atomic?: boolean }>
>
const loaded = new Map<string, StructType>()

/** The type with this name, such as `core.PodSpec`. Undefined for scalars. */
export function structType(name: string): StructType | undefined {
  const known = loaded.get(name)
  if (known !== undefined) return known
  const source = Object.hasOwn(TYPES, name) ? TYPES[name] : undefined
  if (source === undefined) return undefined
  const fields = new Map<string, Field>()
  const wire = new Map<number, Field | { readonly inline: StructType }>()
  const numbers = source.fields.map((row) => row[1]).sort((a, b) => a - b)
  const type: StructType = { name, atomic: source.atomic === true, fields, wire, numbers }
  loaded.set(name, type)
  for (const row of source.fields) {
    const inline = row[3].includes('i') ? structType(row[2]) : undefined
    if (inline !== undefined) {
      wire.set(row[1], { inline })
      for (const field of inline.fields.values()) fields.set(field.name, field)
    } else {
      const field = fieldOf(row)
      wire.set(field.number, field)
      fields.set(field.name, field)
    }
  }
  return type
}

function fieldOf([name, number, type, flags, merge = '']: Row): Field {
  const parts = merge.split(';')
  const after = (prefix: string): string | undefined =>
    parts.find((part) => part.startsWith(prefix))?.slice(prefix.length)
  return {
    name,
    number,
    type,
    shape: flags.includes('l') ? 'list' : flags.includes('m') ? 'map' : 'one',
    pointer: flags.includes('p'),
    omitEmpty: flags.includes('o'),
    required: flags.includes('x') === flags.includes('o'),
    listKeys: after('map:')?.split(','),
    set: parts.includes('set'),
    patchKey: after('patch:'),
    retainKeys: parts.includes('retainKeys'),
    atomic: parts.includes('atomic'),
  }
}

/** What a field is made of; undefined for a scalar. */
export function structOf(field: Field): StructType | undefined {
  return field.struct ?? structType(field.type)
}

/** A field of a struct by its name. */
export function fieldIn(type: StructType, name: string): Field | undefined {
  return type.fields.get(name) ?? type.rest
}

type PackageRow = readonly [group: string | null, version: string, openApi: string]
const PACKAGES = table.packages as unknown as Readonly<Record<string, PackageRow>>
const KINDS_OF = new Map(
  Object.entries(PACKAGES).map(([name, [group, version]]) => [`${group ?? '-'}/${version}`, name]),
)

/** The type of a kind, undefined when only its metadata is known. */
export function kindType(group: string, kind: string, version = 'v1'): StructType | undefined {
  const pkg = kind === 'DeleteOptions' ? 'meta' : KINDS_OF.get(`${group}/${version}`)
  return pkg === undefined ? undefined : structType(`${pkg}.${kind}`)
}

/** The name of a type in OpenAPI documents: `io.k8s.api.core.v1.PodSpec`. */
export function openApiName(type: string): string {
  const [pkg = '', kind = ''] = type.split('.')
  return `${PACKAGES[pkg]?.[2] ?? pkg}.${kind}`
}

/** The names of every struct that a type is made of, itself included. */
export function structsWithin(type: StructType): readonly StructType[] {
  const found = new Map<string, StructType>([[type.name, type]])
  for (const struct of found.values()) {
    for (const field of struct.fields.values()) {
      const inner = structType(field.type)
      if (inner !== undefined) found.set(inner.name, inner)
    }
  }
  return [...found.values()]
}
