import type { JsonObject, KubeObject } from '../../kubernetes/objects/types.ts'
import type { ConfigSource } from '../environment/env.ts'
import { type FieldContext, fieldValue, nameOf, resourceValue } from '../environment/fields.ts'
import { asNumber, asObject, asObjects, asText, asTextMap } from '../json.ts'
import { fsGroupOf, onlyUserOf } from '../pod-security.ts'
import { projectionOf } from '../pod-tokens.ts'
import type { PodView } from '../pod-view.ts'

/** One file of a volume. */
export interface VolumeFile {
  readonly bytes: Uint8Array
  /** Permission bits, such as 0o644. */
  readonly mode: number
  /** Whom it belongs to. Default: this process. */
  readonly uid?: number | undefined
}

/** The files of a volume by their relative path, or why they cannot be known, in kubelet's words. */
export type VolumeFiles =
  | { readonly type: 'ready'; readonly files: ReadonlyMap<string, VolumeFile> }
  | { readonly type: 'missing'; readonly message: string }

/** A volume that cannot be filled now. Stays inside this file. */
class VolumeProblem extends Error {
  override readonly name = 'VolumeProblem'
}

const MODE_DEFAULT = 0o644
const TOKEN_MODE = 0o600
/** What Kubernetes allows in one config map or secret; a projected volume may hold several. */
const VOLUME_BYTES_MAX = 16 * 1024 * 1024

/** Whether a volume is made of files that come from objects. */
export function hasFiles(volume: JsonObject): boolean {
  return ['configMap', 'secret', 'downwardAPI', 'projected'].some(
    (kind) => volume[kind] !== undefined,
  )
}

/** Whether such a volume is kept in memory under kubelet, which shows in the mode of its directory. */
export function isKeptInMemory(volume: JsonObject): boolean {
  return hasFiles(volume) && volume['configMap'] === undefined
}

/** Works out the files of a config map, secret, downward API or projected volume. */
export function volumeFiles(
  volume: JsonObject,
  source: ConfigSource,
  fields: FieldContext,
): VolumeFiles {
  try {
    const files = new Map<string, VolumeFile>()
    const projected = volume['projected']
    const defaultMode = modeOf(asObject(projected ?? kindOf(volume)), MODE_DEFAULT)
    const sources = projected === undefined ? [volume] : asObjects(asObject(projected)['sources'])
    for (const each of sources) {
      for (const [path, file] of oneSource(each, defaultMode, source, fields)) files.set(path, file)
    }
    let bytes = 0
    for (const file of files.values()) bytes += file.bytes.length
    if (bytes > VOLUME_BYTES_MAX)
      refuse(`the volume would hold more than ${VOLUME_BYTES_MAX} bytes`)
    return { type: 'ready', files }
  } catch (error) {
    if (error instanceof VolumeProblem) return { type: 'missing', message: error.message }
    throw error
  }
}

function kindOf(volume: JsonObject): JsonObject {
  return asObject(volume['configMap'] ?? volume['secret'] ?? volume['downwardAPI'])
}

function oneSource(
  source: JsonObject,
  defaultMode: number,
  config: ConfigSource,
  fields: FieldContext,
): ReadonlyMap<string, VolumeFile> {
  if (source['configMap'] !== undefined) {
    const reference = asObject(source['configMap'])
    const name = nameOf(reference)
    const object = config.configMap(name)
    if (object === undefined && !isOptional(reference)) refuse(`configmap "${name}" not found`)
    return pick(configMapBytes(object), reference, defaultMode, 'configmap')
  }
  if (source['secret'] !== undefined) {
    const reference = asObject(source['secret'])
    // A secret volume says secretName, a projected secret says name.
    const name = asText(reference['secretName']) ?? nameOf(reference)
    const object = config.secret(name)
    if (object === undefined && !isOptional(reference)) refuse(`secret "${name}" not found`)
    return pick(decodeAll(object?.['data']), reference, defaultMode, 'secret')
  }
  if (source['downwardAPI'] !== undefined) {
    return downward(asObject(source['downwardAPI']), defaultMode, fields)
  }
  if (source['serviceAccountToken'] !== undefined) {
    return accountToken(asObject(source['serviceAccountToken']), defaultMode, config, fields.pod)
  }
  return refuse(`projected source ${Object.keys(source).join(', ')} is not supported`)
}

function accountToken(
  source: JsonObject,
  mode: number,
  config: ConfigSource,
  pod: PodView,
): ReadonlyMap<string, VolumeFile> {
  const { audience, seconds } = projectionOf(source)
  const found = config.accountToken?.(audience, seconds)
  if (found === undefined) return refuse('failed to fetch token: this node issues no tokens')
  if ('problem' in found) return refuse(found.problem)
  const path = checkPath(asText(source['path']) ?? '')
  const bytes = Buffer.from(found.token)
  const uid = onlyUserOf(pod)
  // Who has a user or a group of its own shares its token with nobody else, whatever mode is asked for.
  const isOwn = uid !== undefined || fsGroupOf(pod) !== undefined
  return new Map([[path, { bytes, mode: isOwn ? TOKEN_MODE : mode, uid }]])
}

const MISSING_KEY = {
  configmap: 'configmap references non-existent config key',
  secret: 'references non-existent secret key',
} as const

/** All keys, or those that `items` names, under the paths that it gives. */
function pick(
  values: ReadonlyMap<string, Uint8Array>,
  reference: JsonObject,
  defaultMode: number,
  kind: keyof typeof MISSING_KEY,
): ReadonlyMap<string, VolumeFile> {
  const files = new Map<string, VolumeFile>()
  const items = asObjects(reference['items'])
  if (items.length === 0) {
    for (const [key, bytes] of values) files.set(checkPath(key), { bytes, mode: defaultMode })
    return files
  }
  for (const item of items) {
    const key = asText(item['key']) ?? ''
    const bytes = values.get(key)
    if (bytes === undefined) {
      if (isOptional(reference)) continue
      refuse(`${MISSING_KEY[kind]}: ${key}`)
    }
    files.set(checkPath(asText(item['path']) ?? ''), {
      bytes,
      mode: asNumber(item['mode']) ?? defaultMode,
    })
  }
  return files
}

function downward(
  source: JsonObject,
  defaultMode: number,
  fields: FieldContext,
): ReadonlyMap<string, VolumeFile> {
  const files = new Map<string, VolumeFile>()
  for (const item of asObjects(source['items'])) {
    const field = asText(asObject(item['fieldRef'])['fieldPath'])
    const text =
      field === undefined
        ? resourceValue(asObject(item['resourceFieldRef']), undefined, fields)
        : fieldValue(field, fields)
    if (text === undefined) refuse(`unsupported field in downwardAPI item ${String(item['path'])}`)
    files.set(checkPath(asText(item['path']) ?? ''), {
      bytes: Buffer.from(text),
      mode: asNumber(item['mode']) ?? defaultMode,
    })
  }
  return files
}

function configMapBytes(object: KubeObject | undefined): ReadonlyMap<string, Uint8Array> {
  const values = new Map<string, Uint8Array>(decodeAll(object?.['binaryData']))
  for (const [key, text] of Object.entries(asTextMap(object?.['data']))) {
    values.set(key, Buffer.from(text))
  }
  return values
}

function decodeAll(data: KubeObject[string]): ReadonlyMap<string, Uint8Array> {
  const entries = Object.entries(asTextMap(data))
  return new Map(entries.map(([key, text]) => [key, Buffer.from(text, 'base64')]))
}

/** A path that stays inside the volume. */
function checkPath(path: string): string {
  const parts = path.split('/')
  const isBad = path === '' || path.startsWith('..') || path.includes('\0')
  if (isBad || parts.some((part) => part === '' || part === '.' || part === '..')) {
    refuse(`invalid path: ${JSON.stringify(path)}`)
  }
  return path
}

function modeOf(source: JsonObject, fallback: number): number {
  const mode = asNumber(source['defaultMode'])
  return mode !== undefined && Number.isInteger(mode) && mode >= 0 && mode <= 0o777
    ? mode
    : fallback
}

function isOptional(reference: JsonObject): boolean {
  return reference['optional'] === true
}

function refuse(message: string): never {
  throw new VolumeProblem(message)
}
