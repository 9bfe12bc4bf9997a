// Reads struct declarations of Go sources, as far as the types of k8s.io/api are written: names,
// tags and markers of fields. No prose is taken.
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The version of Kubernetes whose facts are taken. */
export const KUBERNETES_VERSION = '1.36.3'

/** The version of k8s.io/api and its siblings that belongs to it. */
export const STAGING_VERSION: string = `v0.${KUBERNETES_VERSION.slice(2)}`

interface GoStruct {
  readonly fields: readonly GoField[]
  readonly atomic: boolean
}

export interface GoField {
  /** With packages by their names here: `*[]core.Container`. */
  readonly type: string
  readonly json: string
  readonly tags: string
  readonly markers: readonly string[]
}

export interface GoTypes {
  readonly structs: Map<string, GoStruct>
  readonly aliases: Map<string, string>
}

/** The folder of a module, fetched from the module proxy. */
export function moduleFolder(module: string, version: string): string {
  const cwd = mkdtempSync(join(tmpdir(), 'schema-'))
  const out = execFileSync('go', ['mod', 'download', '-json', `${module}@${version}`], {
    cwd,
    encoding: 'utf8',
  })
  return (JSON.parse(out) as { Dir: string }).Dir
}

const SCALARS = new Set(['string', 'bool', 'int32', 'int64', 'float64', 'byte'])

/**
 * Adds the types of one file.
 *
 * @param packageOf how a package is named here, by its import path; undefined keeps its own name.
 */
export function parseGo(
  types: GoTypes,
  pkg: string,
  text: string,
  packageOf: (path: string) => string | undefined,
): void {
  const imports = importsOf(text, packageOf)
  const qualified = (type: string): string => qualify(pkg, type, imports)
  let markers: string[] = []
  let open: { name: string; fields: GoField[]; atomic: boolean } | undefined
  for (const line of text.split('\n')) {
    const marker = /^\s*\/\/\s*\+(\w+(?:=\S+)?)/.exec(line)
    if (marker?.[1] !== undefined) markers.push(marker[1])
    if (/^\s*\/\//.test(line)) continue
    const empty = /^type (\w+) struct ?\{\}$/.exec(line)
    const struct = /^type (\w+) struct \{$/.exec(line)
    const alias = /^type (\w+) (?:= )?([\w.[\]*]+)$/.exec(line)
    const field = /^\t(?:(\w+)\s+|\t*)?([\w.[\]*]+)\s+`(.*)`/.exec(line)
    if (empty?.[1] !== undefined) {
      types.structs.set(`${pkg}.${empty[1]}`, { fields: [], atomic: false })
    } else if (struct?.[1] !== undefined) {
      open = {
        name: `${pkg}.${struct[1]}`,
        fields: [],
        atomic: markers.includes('structType=atomic'),
      }
    } else if (alias?.[1] !== undefined && alias[2] !== undefined) {
      types.aliases.set(`${pkg}.${alias[1]}`, qualified(alias[2]))
    } else if (open !== undefined && line === '}') {
      types.structs.set(open.name, { fields: open.fields, atomic: open.atomic })
      open = undefined
    } else if (open !== undefined && field?.[2] !== undefined && field[3] !== undefined) {
      const json = /json:"([^"]*)"/.exec(field[3])?.[1] ?? ''
      open.fields.push({ type: qualified(field[2]), json, tags: field[3], markers })
    }
    markers = []
  }
}

function importsOf(
  text: string,
  packageOf: (path: string) => string | undefined,
): ReadonlyMap<string, string> {
  const block = /^import \(([\s\S]*?)^\)/m.exec(text)?.[1] ?? ''
  const found = new Map<string, string>()
  for (const [, name, path = ''] of block.matchAll(/^\s*(\w+)?\s*"([^"]+)"/gm)) {
    const last = path.split('/').at(-1) ?? ''
    found.set(name ?? last, packageOf(path) ?? last)
  }
  return found
}

/** `*[]Container` in package core becomes `*[]core.Container`; maps become `map:`. */
function qualify(pkg: string, type: string, imports: ReadonlyMap<string, string>): string {
  return type
    .replace(/map\[[\w.]+\]/g, 'map:')
    .replace(/\b([a-zA-Z]\w*)(\.\w+)?/g, (all, first: string, rest?: string) => {
      if (rest !== undefined) return `${imports.get(first) ?? first}${rest}`
      return first === 'map' || SCALARS.has(first) ? all : `${pkg}.${first}`
    })
}

/** What a named type is, through its aliases. */
export function resolveAlias(types: GoTypes, type: string): string {
  let at = type
  for (let depth = 0; depth < 4; depth++) {
    const target = types.aliases.get(at)
    if (target === undefined) break
    at = target
  }
  return at
}
