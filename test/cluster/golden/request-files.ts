import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

const FOLDER = fileURLToPath(new URL('requests/', import.meta.url))

/**
 * One request of the comparison. `${name.path.in.body}` in the path and in texts of the body stands
 * for what an earlier answer, kept as `name`, held there: each server's own.
 */
export interface GoldenRequest {
  /** Unique, and the same from run to run. */
  readonly id: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Sent as it is, once its placeholders are filled in. */
  readonly body: string | undefined
  /** The name under which the answer is kept. */
  readonly keep: string | undefined
  /** Whether it is a watch, whose answer goes on until its time is up. */
  readonly isWatch: boolean
  /** The status that is waited for, where what was written before may take a moment to count. */
  readonly until: number | undefined
}

/** Content types and Accept headers by the short names that the files use. */
const MEDIA: Readonly<Record<string, string>> = {
  json: 'application/json',
  yaml: 'application/yaml',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  jsonpatch: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
  table: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  meta: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json',
  metalist: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json',
}

interface Entry {
  readonly do: string
  readonly body?: unknown
  readonly type?: string
  readonly accept?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly keep?: string
  readonly name?: string
  readonly until?: number
}

/** Every request of the files, in the order in which they are sent. */
export async function readRequests(): Promise<readonly GoldenRequest[]> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.yaml')).sort()
  const seen = new Map<string, number>()
  const requests: GoldenRequest[] = []
  for (const name of names) {
    const topic = name.replace(/^\d+-|\.yaml$/g, '')
    const entries = parse(await readFile(join(FOLDER, name), 'utf8')) as (Entry | string)[]
    for (const entry of entries) {
      requests.push(requestOf(topic, typeof entry === 'string' ? { do: entry } : entry, seen))
    }
  }
  return requests
}

function requestOf(topic: string, entry: Entry, seen: Map<string, number>): GoldenRequest {
  const space = entry.do.indexOf(' ')
  const method = entry.do.slice(0, space)
  const path = entry.do.slice(space + 1)
  const traits = [entry.type, entry.accept === undefined ? undefined : `as ${entry.accept}`]
  const words = [entry.name ?? entry.do, ...traits].filter((word) => word !== undefined)
  const name = `${topic}: ${words.join(' ')}`
  const count = (seen.get(name) ?? 0) + 1
  seen.set(name, count)
  const { body } = entry
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  return {
    id: count === 1 ? name : `${name} (${count})`,
    method,
    path,
    headers: {
      ...(body === undefined ? {} : { 'content-type': media(entry.type ?? 'json') }),
      ...(entry.accept === undefined ? {} : { accept: media(entry.accept) }),
      ...entry.headers,
    },
    body: text,
    keep: entry.keep,
    isWatch: /[?&]watch(=true|=1|&|$)/.test(path),
    until: entry.until,
  }
}

function media(name: string): string {
  return MEDIA[name] ?? name
}
