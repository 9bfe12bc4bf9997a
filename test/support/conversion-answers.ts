type Json = Readonly<Record<string, unknown>>

/** The question that a conversion webhook gets. */
export interface ConversionQuestion extends Json {
  readonly uid: string
  readonly desiredAPIVersion: string
  readonly objects: readonly Json[]
}

const objectOf = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {}

/** `spec.hostPort` of v1 is `spec.host` and `spec.port` of every other version. */
function converted(object: Json, apiVersion: string): Json {
  const spec = objectOf(object['spec'])
  if (apiVersion.endsWith('/v1')) {
    const { host, port, ...rest } = spec
    const told = host === undefined ? {} : { hostPort: `${String(host)}:${String(port ?? '')}` }
    return { ...object, apiVersion, spec: { ...rest, ...told } }
  }
  const { hostPort, ...rest } = spec
  const [host, port] = typeof hostPort === 'string' ? hostPort.split(':') : []
  return {
    ...object,
    apiVersion,
    spec: {
      ...rest,
      ...(host === undefined ? {} : { host }),
      ...(port === undefined ? {} : { port }),
    },
  }
}

const withMetadata = (object: Json, more: Json): Json => ({
  ...object,
  metadata: { ...objectOf(object['metadata']), ...more },
})

/** What becomes of each converted object. */
const CHANGES: Readonly<Record<string, (object: Json) => unknown>> = {
  '/convert/annotate': (object) => withMetadata(object, { annotations: { converted: 'yes' } }),
  '/convert/finalizer': (object) => withMetadata(object, { finalizers: ['a.b/c'] }),
  '/convert/unlabel': (object) => withMetadata(object, { labels: undefined }),
  '/convert/bad-label': (object) => withMetadata(object, { labels: { 'a b': 'c' } }),
  '/convert/number-label': (object) => withMetadata(object, { labels: { a: 1 } }),
  '/convert/labels': (object) => withMetadata(object, { labels: 'a' }),
  '/convert/name': (object) => withMetadata(object, { name: 'another' }),
  '/convert/namespace': (object) => withMetadata(object, { namespace: 'another' }),
  '/convert/object-uid': (object) => withMetadata(object, { uid: 'another' }),
  '/convert/no-metadata': ({ metadata: _, ...object }) => object,
  '/convert/version': (object) => ({ ...object, apiVersion: 'golden.example.com/v9' }),
  '/convert/kind': (object) => ({ ...object, kind: 'Another' }),
  '/convert/no-kind': ({ kind: _, ...object }) => object,
  '/convert/unknown': (object) => ({
    ...object,
    spec: { ...objectOf(object['spec']), nonsense: true },
  }),
}

/** What else of an answer is not as it should be. */
const RESPONSES: Readonly<Record<string, Json>> = {
  '/convert/refuse': { result: { status: 'Failed', message: 'not today' } },
  '/convert/refuse/plainly': { result: { status: 'Failed' } },
  '/convert/result': { result: undefined },
  '/convert/uid': { uid: 'another' },
  '/convert/none': { convertedObjects: [] },
}

/** Whether a path is one that converts. */
export function isConversion(path: string): boolean {
  return path.startsWith('/convert')
}

/** What each path answers with, as text. */
export function conversionAnswer(
  path: string,
  apiVersion: string,
  { uid, objects, desiredAPIVersion }: ConversionQuestion,
): string {
  const change = CHANGES[path] ?? ((object: Json): unknown => object)
  const convertedObjects = objects.map((object) => change(converted(object, desiredAPIVersion)))
  const response = { uid, convertedObjects, result: { status: 'Success' }, ...RESPONSES[path] }
  const review = { kind: 'ConversionReview', apiVersion, response }
  if (path === '/convert/absent') return JSON.stringify({ ...review, response: undefined })
  if (path === '/convert/untyped') return JSON.stringify({ response })
  return JSON.stringify(review)
}
