import { type Document, isScalar, parseDocument, type ScalarTag, visit, type YAMLMap } from 'yaml'
import type { Json } from '../objects/types.ts'
import { badRequest } from './status.ts'

/** Each alias is looked for in the whole text before it, so past so many a text is refused. */
const ALIASES_MAX = 1_000

/** How much larger than its text a value may become by aliases. */
const ALIAS_GROWTH_MAX = 100

/** How many keys that occur twice are told. */
const REPEATED_MAX = 16

const CONTEXT = 'error converting YAML to JSON: yaml: '

/** A YAML document, and what is wrong with it that it can be read with. */
export interface ReadYaml {
  readonly value: Json
  /** Such as `line 7: key "k" already set in map`. */
  readonly repeated: readonly string[]
}

/**
 * Reads one YAML document as kube-apiserver does: version 1.1, but `12:30` and dates are texts. Takes time
 * in proportion to the text.
 *
 * @throws StatusError 400 when it cannot be read.
 * @throws RangeError when it is nested too deeply for the stack.
 */
export function readYaml(text: string): ReadYaml {
  const document = parseDocument(text, {
    logLevel: 'silent',
    version: '1.1',
    // The reader would compare each key with all before it.
    uniqueKeys: false,
    resolveKnownTags: false,
    customTags: (tags) => [
      ...tags.filter(
        (tag) => typeof tag === 'string' || !(isTime(tag) || MADE_BY_TAGS.has(tag.tag)),
      ),
      BINARY,
      OCTAL,
    ],
  })
  const [problem] = document.errors
  if (problem !== undefined) throw badRequest(`${CONTEXT}${problem.message.split('\n')[0]}`)
  const repeated = look(document)
  const value = document.toJS({ maxAliasCount: ALIAS_GROWTH_MAX }) as Json
  return { value, repeated: repeated.map((at) => repeatedText(text, at)) }
}

/** Tags that the reader makes more of than JSON has. */
const MADE_BY_TAGS: ReadonlySet<string> = new Set(
  ['binary', 'omap', 'pairs', 'set'].map((name) => `tag:yaml.org,2002:${name}`),
)

/** Bytes in base64: the text that they are. */
const BINARY: ScalarTag = {
  tag: 'tag:yaml.org,2002:binary',
  default: false,
  resolve: (text, refuse) => {
    const given = text.replace(/[\r\n]/g, '')
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(given))
      refuse('!!binary value contains invalid base64 data')
    return Buffer.from(given, 'base64').toString()
  },
}

/** The octal numbers of YAML 1.2, such as `0o644`: Go knows them too. */
const OCTAL: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^[-+]?0[oO][0-7][0-7_]*$/,
  resolve: (text) => Number(text.replace(/[-+_]/g, '')) * (text.startsWith('-') ? -1 : 1),
}

function isTime({ tag, format }: { readonly tag?: string; readonly format?: string }): boolean {
  return format === 'TIME' || tag === 'tag:yaml.org,2002:timestamp'
}

/** @returns where keys begin that a map has already, in the order of the text. */
function look(document: Document.Parsed): readonly number[] {
  const places: number[] = []
  let aliases = 0
  visit(document, {
    Alias: () => {
      aliases += 1
      if (aliases > ALIASES_MAX) throw badRequest(`${CONTEXT}document contains excessive aliasing`)
    },
    Map: (_key, map) => {
      for (const place of repeatedIn(map)) places.push(place)
    },
  })
  return places.sort((a, b) => a - b).slice(0, REPEATED_MAX)
}

function repeatedIn({ items }: YAMLMap): readonly number[] {
  const seen = new Set<unknown>()
  return items.flatMap(({ key }): readonly number[] => {
    if (!isScalar(key)) return []
    if (!seen.has(key.value)) {
      seen.add(key.value)
      return []
    }
    return [key.range?.[0] ?? 0]
  })
}

function repeatedText(text: string, at: number): string {
  const key = /^[^\s:,}]*/.exec(text.slice(at, at + 256))?.[0] ?? ''
  const line = text.slice(0, at).split('\n').length
  return `line ${line}: key ${JSON.stringify(key)} already set in map`
}
