import type { GoldenAnswer } from './target.ts'

const UID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
/** Of this century's later days: times that requests give themselves are earlier. */
const TIME = /20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g
const SERVER = /(127\.0\.0\.1|localhost):\d+/g
const AGE = /^\d+s$/

/** Takes what differs from run to run out of one server's answers. */
export class Normalizer {
  /** The resourceVersion that each object was last shown with. */
  readonly #versions = new Map<string, string>()

  /** An answer in which what cannot be the same on two servers is named, not shown. */
  normalize(answer: GoldenAnswer): GoldenAnswer {
    return {
      ...answer,
      warnings: answer.warnings.map(textWithout),
      body: this.#value(answer.body, ''),
    }
  }

  #value(value: unknown, key: string): unknown {
    if (typeof value === 'string') return normalText(value, key)
    if (typeof value === 'number' && key === 'nodePort' && value >= 30_000) return '<port>'
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) {
      const items: readonly unknown[] = key === 'managedFields' ? byOwner(value) : value
      const all = items.map((item) => this.#value(item, key))
      return DISCOVERED.has(key) ? byName(all) : all
    }
    const out: Record<string, unknown> = {}
    for (const [name, item] of Object.entries(value))
      out[textWithout(name)] = this.#value(item, name)
    if (key === 'metadata') this.#metadata(value as Record<string, unknown>, out)
    return out
  }

  #metadata(given: Record<string, unknown>, out: Record<string, unknown>): void {
    const { uid, resourceVersion, generateName, name } = given
    if (typeof resourceVersion === 'string' && resourceVersion !== '') {
      const isSame = typeof uid === 'string' && this.#versions.get(uid) === resourceVersion
      out['resourceVersion'] = isSame ? '<version as before>' : '<version>'
      if (typeof uid === 'string') this.#versions.set(uid, resourceVersion)
    }
    if (typeof generateName === 'string' && String(name).startsWith(generateName))
      out['name'] = `${generateName}<generated>`
  }
}

/** Lists of discovery, whose members are compared by name. */
const DISCOVERED: ReadonlySet<string> = new Set(['groups', 'resources', 'subresources', 'items'])

/** A list whose members have names that are unique, as a map by them; any other as it is. */
function byName(items: readonly unknown[]): unknown {
  const names = items.map(nameOf)
  if (items.length === 0 || names.includes('') || new Set(names).size < names.length) return items
  return Object.fromEntries(items.map((item, index) => [names[index], item]))
}

/** What a group, a resource or a part is called in any form of discovery; empty for what is none. */
function nameOf(item: unknown): string {
  if (typeof item !== 'object' || item === null) return ''
  const { name, resource, subresource, metadata, versions } = item as Record<string, unknown>
  if (typeof (subresource ?? resource ?? name) === 'string')
    return `${subresource ?? resource ?? name}`
  if (versions === undefined) return ''
  return String((metadata as { name?: string } | undefined)?.name ?? 'core')
}

/** Owners of fields are listed by the time of their last write, which may or may not be the same. */
function byOwner(owners: readonly unknown[]): readonly unknown[] {
  const textOf = (owner: unknown): string => {
    const { subresource, operation, manager } = owner as Record<string, unknown>
    return [subresource, operation, manager].map(String).join('/')
  }
  return [...owners].sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1))
}

function normalText(text: string, key: string): string {
  if (key === 'continue' && text !== '') return '<token>'
  if (/^clusterIPs?$/.test(key) && /^10\./.test(text)) return '<address>'
  if (key === 'cells' && AGE.test(text)) return '<age>'
  return textWithout(text)
}

function textWithout(text: string): string {
  return text.replace(UID, '<uid>').replace(TIME, '<time>').replace(SERVER, '<server>')
}
