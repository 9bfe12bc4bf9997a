import type { Json, JsonObject, KubeObject } from '../../kubernetes/objects/types.ts'
import { asObject, asText, asTextMap } from '../json.ts'
import type { TokenResult } from '../pod-tokens.ts'
import type { ContainerView } from '../pod-view.ts'
import { expand } from './expansion.ts'
import { type FieldContext, fieldValue, nameOf, resourceValue } from './fields.ts'

/** How config maps and secrets of the pod's namespace are read, and the tokens of the pod. */
export interface ConfigSource {
  configMap(name: string): KubeObject | undefined
  secret(name: string): KubeObject | undefined
  /** A token of the pod's service account. Default: there is none. */
  accountToken?(audience: string | undefined, seconds: number): TokenResult
}

/** The variables of a container, or what keeps them from being known, in kubelet's words. */
export type EnvResult =
  | {
      readonly type: 'ready'
      readonly env: Readonly<Record<string, string>>
      /** Keys that cannot be names of variables and were left out, with where they come from. */
      readonly skipped: readonly string[]
    }
  | { readonly type: 'missing'; readonly message: string }

/** A reference that cannot be followed. Stays inside this file. */
class MissingReference extends Error {
  override readonly name = 'MissingReference'
}

/**
 * Works out the variables of one container: first envFrom, then env, each of which may refer to those
 * before it and to `known`, the variables that the runtime adds.
 */
export function resolveEnv(
  container: ContainerView,
  source: ConfigSource,
  fields: FieldContext,
  known: Readonly<Record<string, string>>,
): EnvResult {
  const env: Record<string, string> = {}
  const skipped: string[] = []
  try {
    for (const from of container.envFrom) addAll(env, skipped, from, source)
    for (const variable of container.env) {
      const name = asText(variable['name'])
      if (name === undefined || name === '') continue
      const value = variableValue(variable, container, source, fields, { ...known, ...env })
      if (value !== undefined) env[name] = value
    }
  } catch (error) {
    if (error instanceof MissingReference) return { type: 'missing', message: error.message }
    throw error
  }
  return { type: 'ready', env, skipped }
}

function addAll(
  env: Record<string, string>,
  skipped: string[],
  from: JsonObject,
  source: ConfigSource,
): void {
  const prefix = asText(from['prefix']) ?? ''
  const isSecret = from['secretRef'] !== undefined
  const reference = asObject(isSecret ? from['secretRef'] : from['configMapRef'])
  const values = isSecret ? secretValues(reference, source) : configMapValues(reference, source)
  for (const key of Object.keys(values).sort()) {
    const name = prefix + key
    if (VARIABLE_NAME.test(name)) env[name] = values[key] ?? ''
    else skipped.push(key)
  }
}

function variableValue(
  variable: JsonObject,
  container: ContainerView,
  source: ConfigSource,
  fields: FieldContext,
  known: Readonly<Record<string, string>>,
): string | undefined {
  const from = asObject(variable['valueFrom'])
  const reference = (name: string): JsonObject | undefined =>
    from[name] === undefined ? undefined : asObject(from[name])
  const field = reference('fieldRef')
  if (field !== undefined) {
    const path = asText(field['fieldPath']) ?? ''
    return fieldValue(path, fields) ?? refuse(`unsupported fieldPath: ${path}`)
  }
  const resource = reference('resourceFieldRef')
  if (resource !== undefined) {
    const value = resourceValue(resource, container, fields)
    return value ?? refuse(`unsupported container resource: ${String(resource['resource'])}`)
  }
  const configMap = reference('configMapKeyRef')
  if (configMap !== undefined) {
    return keyOf(configMapValues(configMap, source), configMap, 'ConfigMap', fields)
  }
  const secret = reference('secretKeyRef')
  if (secret !== undefined) return keyOf(secretValues(secret, source), secret, 'Secret', fields)
  return expand(asText(variable['value']) ?? '', known)
}

function keyOf(
  values: Readonly<Record<string, string>>,
  reference: JsonObject,
  kind: string,
  fields: FieldContext,
): string | undefined {
  const key = asText(reference['key']) ?? ''
  if (Object.hasOwn(values, key)) return values[key]
  if (isOptional(reference)) return undefined
  const where = `${fields.pod.namespace}/${nameOf(reference)}`
  return refuse(`couldn't find key ${key} in ${kind} ${where}`)
}

function configMapValues(
  reference: JsonObject,
  source: ConfigSource,
): Readonly<Record<string, string>> {
  const name = nameOf(reference)
  const object = source.configMap(name)
  if (object !== undefined) return asTextMap(object['data'])
  return isOptional(reference) ? {} : refuse(`configmap "${name}" not found`)
}

function secretValues(
  reference: JsonObject,
  source: ConfigSource,
): Readonly<Record<string, string>> {
  const name = nameOf(reference)
  const object = source.secret(name)
  if (object !== undefined) return decodeSecret(object['data'])
  return isOptional(reference) ? {} : refuse(`secret "${name}" not found`)
}

/** The values of a secret as text. */
function decodeSecret(data: Json | undefined): Readonly<Record<string, string>> {
  const values: Record<string, string> = {}
  for (const [key, value] of Object.entries(asTextMap(data))) {
    values[key] = Buffer.from(value, 'base64').toString('utf8')
  }
  return values
}

/** What the name of a variable may be since Kubernetes 1.34: whatever can be printed, but no `=`. */
const VARIABLE_NAME = /^[ -<>-~]+$/

/** Whether a name may be that of a variable: Kubernetes allows letters, digits, `_`, `-` and `.`. */
export function isVariableName(name: string): boolean {
  return /^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(name)
}

function isOptional(reference: JsonObject): boolean {
  return reference['optional'] === true
}

function refuse(message: string): never {
  throw new MissingReference(message)
}
