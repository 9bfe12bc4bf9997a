import { readFile } from 'node:fs/promises'
import { parseDocument } from 'yaml'
import { EXIT, ProgramError, systemCode } from './program-error.ts'
import type { Schema, Values } from './settings.ts'

/** Where values may come from, the first that has one wins. */
export interface Sources {
  /** By the name of the setting in the schema. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly env: Readonly<Record<string, string | undefined>>
  /** What the variables of this program start with, such as `TIDEWAY_CLOUDCORE_`. */
  readonly envPrefix: string
  /** The path of a YAML file. It may also be named by the variable `<prefix>CONFIG`. */
  readonly file: string | undefined
}

const FILE_BYTES_MAX = 64 * 1024

/** `apiAddress` as a flag and as a key of the file: `api-address`. */
export function flagName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** `apiAddress` as a variable: `TIDEWAY_CLOUDCORE_API_ADDRESS`. */
export function variableName(prefix: string, name: string): string {
  return `${prefix}${flagName(name).replaceAll('-', '_').toUpperCase()}`
}

/**
 * Works out every setting: flag before environment before file before default.
 *
 * @throws ProgramError `SETTING_INVALID` or `SETTING_UNKNOWN`, naming the setting, where it was given,
 * what was wrong and what is allowed.
 */
export async function resolveSettings<S extends Schema>(
  schema: S,
  sources: Sources,
): Promise<Values<S>> {
  const file = sources.file ?? nonEmpty(sources.env[`${sources.envPrefix}CONFIG`])
  const fromFile = file === undefined ? new Map<string, string>() : await readSettings(file, schema)
  checkVariables(schema, sources)
  const values: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(schema)) {
    const flag = sources.flags[name]
    const variable = variableName(sources.envPrefix, name)
    const given: readonly (readonly [string, string | undefined])[] = [
      [`--${flagName(name)}`, flag === undefined ? undefined : String(flag)],
      [variable, nonEmpty(sources.env[variable])],
      [`${flagName(name)} in ${file ?? ''}`, fromFile.get(name)],
    ]
    const [place, text] = given.find(([, value]) => value !== undefined) ?? ['', undefined]
    values[name] = text === undefined ? setting.fallback() : parsed(setting, place, text)
  }
  return values as Values<S>
}

function parsed(setting: Schema[string], place: string, text: string): unknown {
  const value = setting.parse(text)
  if (value !== undefined) return value
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text)
  throw invalid(place, `${shown} is not allowed`, setting.allowed)
}

function invalid(place: string, wrong: string, allowed: string, cause?: unknown): ProgramError {
  return new ProgramError(
    'SETTING_INVALID',
    EXIT.usage,
    `${place}: ${wrong}; allowed: ${allowed}`,
    { fields: { field: place, allowed }, cause },
  )
}

function unknown(place: string, known: readonly string[]): ProgramError {
  return new ProgramError(
    'SETTING_UNKNOWN',
    EXIT.usage,
    `${place}: there is no such setting; allowed: ${known.join(', ')}`,
    { fields: { field: place, allowed: known } },
  )
}

/** A misspelt variable would be ignored in silence otherwise. */
function checkVariables(schema: Schema, { env, envPrefix }: Sources): void {
  const known = ['config', ...Object.keys(schema)].map((name) => variableName(envPrefix, name))
  for (const variable of Object.keys(env)) {
    if (variable.startsWith(envPrefix) && !known.includes(variable)) throw unknown(variable, known)
  }
}

async function readSettings(path: string, schema: Schema): Promise<ReadonlyMap<string, string>> {
  const entries = parsedFile(path, await readText(path))
  const names = new Map(Object.keys(schema).map((name) => [flagName(name), name]))
  const found = new Map<string, string>()
  for (const [key, value] of Object.entries(entries)) {
    const name = names.get(key)
    const setting = name === undefined ? undefined : schema[name]
    const place = `${key} in ${path}`
    if (name === undefined || setting === undefined) throw unknown(place, [...names.keys()])
    const text = scalarText(value)
    if (text === undefined) throw invalid(place, 'the value is of the wrong type', setting.allowed)
    found.set(name, text)
  }
  return found
}

async function readText(path: string): Promise<string> {
  try {
    const text = await readFile(path, 'utf8')
    if (text.length <= FILE_BYTES_MAX) return text
  } catch (cause) {
    const reason = systemCode(cause) ?? 'unknown reason'
    throw invalid(
      '--config',
      `${path} cannot be read (${reason})`,
      'the path of a YAML file',
      cause,
    )
  }
  throw invalid(
    '--config',
    `${path} is too large`,
    `a YAML file of at most ${FILE_BYTES_MAX} bytes`,
  )
}

function parsedFile(path: string, text: string): Readonly<Record<string, unknown>> {
  const document = parseDocument(text, { uniqueKeys: true })
  const [error] = document.errors
  const allowed = 'a YAML map of settings, such as "log-level: debug"'
  if (error !== undefined) {
    const line = error.linePos?.[0].line ?? 1
    throw invalid(`${path}:${line}`, error.message.split('\n')[0] ?? 'not YAML', allowed, error)
  }
  const value: unknown = document.toJS({ maxAliasCount: 0 }) ?? {}
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  throw invalid(path, 'the file does not hold a map', allowed)
}

function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean' || typeof value === 'number') return String(value)
  if (!Array.isArray(value)) return undefined
  const parts = value.map(scalarText)
  return parts.every((part) => part !== undefined) ? parts.join(',') : undefined
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
