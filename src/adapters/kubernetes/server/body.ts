import type { IncomingMessage } from 'node:http'
import type { Json, JsonObject } from '../objects/types.ts'
import { unrecognized } from './body-errors.ts'
import { isList, isObject } from './json.ts'
import { jsonSyntaxError } from './json-syntax.ts'
import { inspectJson, JSON_DEPTH_MAX } from './json-text.ts'
import { decodeProtobuf } from './protobuf/decode.ts'
import { badRequest, StatusError } from './status.ts'
import { readYaml } from './yaml-text.ts'

/** The largest request body, in bytes: what kube-apiserver takes. */
export const BODY_BYTES_MAX: number = 3 * 1024 * 1024

/**
 * How much of a body that is too large is read and thrown away, so that its sender, who writes before it
 * reads, gets the answer and not a broken pipe. Past it the connection is cut.
 */
const DISCARDED_BYTES_MAX = 16 * 1024 * 1024

const OBJECT_TYPES = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
] as const

/** A body that is one object. */
export interface ObjectBody {
  readonly value: JsonObject
  /** Fields given twice. */
  readonly duplicates: readonly string[]
}

/**
 * Reads a request body whole.
 *
 * @throws StatusError 413 past {@link BODY_BYTES_MAX}, 400 when it does not come whole.
 */
export async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  let pieces: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of piecesOf(request)) {
    bytes += chunk.length
    if (bytes > DISCARDED_BYTES_MAX) throw tooLarge()
    if (bytes > BODY_BYTES_MAX) pieces = []
    else pieces.push(chunk)
  }
  if (bytes > BODY_BYTES_MAX) throw tooLarge()
  return Buffer.concat(pieces, bytes)
}

async function* piecesOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of request) yield piece as Uint8Array
  } catch {
    // The client has left, or was too slow: nothing failed here.
    throw badRequest('the request ended before its body')
  }
}

function tooLarge(): StatusError {
  return new StatusError(
    'RequestEntityTooLarge',
    `Request entity too large: limit is ${BODY_BYTES_MAX}`,
  )
}

/** Whether a request applies a configuration. */
export function isApply({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return mediaType(headers['content-type']) === 'application/apply-patch+yaml'
}

/** The media type of a Content-Type header without its parameters; JSON where there is none. */
export function mediaType(header: string | undefined): string {
  const type = (header ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  return type === '' ? 'application/json' : type
}

/** 415 with what is taken instead. */
export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return new StatusError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  )
}

/**
 * Reads a body as one object: JSON, YAML or the protobuf of Kubernetes.
 *
 * @param expected the kind that an error names, where one is expected.
 * @throws StatusError: 415 for another media type, 400 when it is not an object of that format.
 */
export function parseObject(
  bytes: Uint8Array,
  contentType: string | undefined,
  expected?: string,
): ObjectBody {
  try {
    return parseAs(bytes, contentType)
  } catch (error) {
    throw expected === undefined ? error : unrecognized(error, expected, bytes)
  }
}

function parseAs(bytes: Uint8Array, contentType: string | undefined): ObjectBody {
  switch (mediaType(contentType)) {
    case 'application/json':
      return objectOf(parseJson(bytes))
    case 'application/yaml':
      return objectOf(parseYaml(bytes))
    case 'application/vnd.kubernetes.protobuf':
      return { value: decodeProtobuf(bytes).value, duplicates: [] }
    default:
      throw unsupportedMediaType(OBJECT_TYPES)
  }
}

/** A parsed text and the fields that it gives twice. */
export interface Parsed {
  readonly value: Json
  readonly duplicates: readonly string[]
}

/** What an error in JSON begins with where an object is expected. */
const OBJECT_ERROR = "couldn't get version/kind; json parse error: "

function objectOf({ value, duplicates }: Parsed): ObjectBody {
  // As in Go, null leaves everything as it is: empty.
  if (value === null) return { value: {}, duplicates }
  if (!isObject(value))
    throw badRequest(`${OBJECT_ERROR}json: cannot unmarshal ${nameOf(value)} into an object`)
  for (const field of ['apiVersion', 'kind']) {
    const found = value[field] ?? ''
    if (typeof found !== 'string')
      throw badRequest(
        `${OBJECT_ERROR}json: cannot unmarshal ${nameOf(found)} into field .${field} of type string`,
      )
    if (field === 'apiVersion' && found.split('/').length > 2)
      throw badRequest(`unexpected GroupVersion string: ${found.slice(0, 256)}`)
  }
  return { value, duplicates }
}

function nameOf(value: Json): string {
  if (isList(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

/**
 * Reads JSON.
 *
 * @param context what an error begins with.
 * @throws StatusError 400 with the place of the error.
 */
export function parseJson(bytes: Uint8Array, context: string = OBJECT_ERROR): Parsed {
  const text = decodeText(bytes)
  const { duplicates } = inspectJson(text)
  try {
    return { value: JSON.parse(text) as Json, duplicates }
  } catch (error) {
    throw badRequest(context + (jsonSyntaxError(text) ?? messageOf(error)))
  }
}

/**
 * Reads one YAML document, of which JSON is a part.
 *
 * @throws StatusError 400 with the place of the error.
 */
export function parseYaml(bytes: Uint8Array): Parsed {
  const text = decodeText(bytes)
  return parseAsJson(text) ?? parseAsYaml(text)
}

/**
 * What programs apply is JSON most of the time, and reading it as YAML takes thirty times as long.
 *
 * @returns undefined for what is no JSON, or gives a field twice: then it is refused in the words of YAML.
 */
function parseAsJson(text: string): Parsed | undefined {
  if (!text.startsWith('{')) return undefined
  const { duplicates } = inspectJson(text)
  if (duplicates.length > 0) return undefined
  try {
    return { value: JSON.parse(text) as Json, duplicates }
  } catch {
    // A map in the flow style of YAML begins like this too.
    return undefined
  }
}

function parseAsYaml(text: string): Parsed {
  try {
    const { value, repeated } = readYaml(text)
    checkYaml(value, 0)
    return { value, duplicates: repeated }
  } catch (error) {
    if (error instanceof StatusError) throw error
    throw badRequest(`error converting YAML to JSON: yaml: ${messageOf(error)}`)
  }
}

function checkYaml(value: Json | undefined, depth: number): void {
  if (depth > JSON_DEPTH_MAX) throw badRequest('the body is nested too deeply')
  // JSON has no number for what YAML writes as `.inf` and `.nan`.
  if (typeof value === 'number' && !Number.isFinite(value))
    throw badRequest(`error converting YAML to JSON: json: unsupported value: ${goText(value)}`)
  if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) checkYaml(item, depth + 1)
  }
}

function goText(value: number): string {
  return Number.isNaN(value) ? 'NaN' : `${value < 0 ? '-' : '+'}Inf`
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw badRequest('the body is not valid UTF-8')
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown'
}
