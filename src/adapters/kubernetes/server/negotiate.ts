import { StatusError } from './status.ts'

/** How to write an answer. */
export interface Answer {
  readonly format: 'json' | 'yaml' | 'protobuf'
  /** The object as itself, as rows, or its metadata only. */
  readonly as: 'object' | 'table' | 'metadata'
  /** The version of meta.k8s.io that was asked for, when `as` is not `object`. */
  readonly metaVersion: 'v1' | 'v1beta1'
}

/** One entry of an Accept header. */
export interface MediaRange {
  readonly type: string
  readonly parameters: ReadonlyMap<string, string>
}

/** How many entries of an Accept header are looked at. */
const RANGES_MAX = 32

/** What a request is answered with: one thing, many, or events for as long as it lasts. */
export type AnswerShape = 'object' | 'list' | 'watch'

const TYPES = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']
const STREAMS = [
  'application/json;stream=watch',
  'application/vnd.kubernetes.protobuf;stream=watch',
]

/**
 * Refuses an Accept header that names nothing of what a path can answer with.
 *
 * @throws StatusError 406 with what it can.
 */
export function requireAcceptable(header: string | undefined, offered: readonly string[]): void {
  if (header === undefined || header.trim() === '') return
  const asked = header.split(',').map((range) => range.split(';')[0]?.trim() ?? '')
  if (asked.some((type) => type === '*/*' || offered.includes(type))) return
  throw new StatusError(
    'NotAcceptable',
    `406: Not Acceptable\n\nAvailable representations: ${offered.join(', ')}`,
    {},
  )
}

/** 406 for forms of what is served that are not. */
export function notAcceptable(offered: readonly string[] = TYPES): StatusError {
  return new StatusError(
    'NotAcceptable',
    `only the following media types are accepted: ${offered.join(', ')}`,
  )
}

/** The entries of an Accept header, best first. */
export function parseAccept(header: string | undefined): readonly MediaRange[] {
  if (header === undefined || header.trim() === '') return [{ type: '*/*', parameters: new Map() }]
  const ranges = header.split(',').slice(0, RANGES_MAX).map(parseRange)
  const quality = (range: MediaRange): number => Number(range.parameters.get('q') ?? '1') || 0
  return ranges
    .map((range, index) => ({ range, index }))
    .sort((a, b) => quality(b.range) - quality(a.range) || a.index - b.index)
    .map(({ range }) => range)
}

function parseRange(text: string): MediaRange {
  const [type = '', ...rest] = text.split(';')
  const parameters = new Map<string, string>()
  for (const part of rest) {
    const equals = part.indexOf('=')
    if (equals > 0)
      parameters.set(part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim())
  }
  return { type: type.trim().toLowerCase(), parameters }
}

/**
 * The first form that the client accepts and that is served here: JSON, YAML or protobuf, whole, as
 * a Table or as metadata.
 *
 * @throws StatusError 406 when there is none.
 */
export function negotiate(header: string | undefined, shape: AnswerShape = 'object'): Answer {
  requireAcceptable(header, shape === 'object' ? TYPES : [...TYPES, ...STREAMS])
  for (const range of parseAccept(header)) {
    const format = formatOf(range.type)
    const as = asOf(range)
    // Rows have no protobuf form, and there are no streams of YAML.
    const isServed =
      (format !== 'protobuf' || as !== 'table') && (format !== 'yaml' || shape !== 'watch')
    if (format === undefined || as === undefined || !isServed) continue
    if (as === 'metadata') requireShape(range, shape)
    return { format, as, metaVersion: range.parameters.get('v') === 'v1beta1' ? 'v1beta1' : 'v1' }
  }
  throw notAcceptable(shape === 'watch' ? STREAMS : TYPES)
}

/** The form of what is never protobuf, such as a refusal: YAML for who asks for that first, JSON for everybody else. */
export function plainFormat(header: string | undefined): Answer['format'] {
  const first = parseAccept(header).find((range) => formatOf(range.type) !== undefined)
  return first !== undefined && formatOf(first.type) === 'yaml' ? 'yaml' : 'json'
}

/** Metadata of many things is a list, and only that. */
function requireShape(range: MediaRange, shape: AnswerShape): void {
  const kind = range.parameters.get('as') ?? ''
  const isList = kind === 'PartialObjectMetadataList'
  if (isList === (shape === 'list')) return
  const is = shape === 'list' ? 'is a list' : 'is not a list'
  throw new StatusError('NotAcceptable', `you requested ${kind}, but the requested object ${is}`)
}

function formatOf(type: string): Answer['format'] | undefined {
  if (type === 'application/json' || type === '*/*' || type === 'application/*') return 'json'
  if (type === 'application/vnd.kubernetes.protobuf') return 'protobuf'
  return type === 'application/yaml' ? 'yaml' : undefined
}

function asOf(range: MediaRange): Answer['as'] | undefined {
  const kind = range.parameters.get('as')
  if (kind === undefined) return 'object'
  const isServed =
    range.parameters.get('g') === 'meta.k8s.io' &&
    /^v1(beta1)?$/.test(range.parameters.get('v') ?? '')
  if (!isServed) return undefined
  if (kind === 'Table') return 'table'
  return kind === 'PartialObjectMetadata' || kind === 'PartialObjectMetadataList'
    ? 'metadata'
    : undefined
}
