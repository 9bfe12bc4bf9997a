import fc, { type Arbitrary } from 'fast-check'

/** A request as nobody should send it, or nearly as one should. */
export interface WildRequest {
  readonly user: 'root' | 'ann' | 'nobody'
  readonly method: string
  /** The request target, as it goes onto the wire. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
}

const WORDS = [
  'api',
  'apis',
  'v1',
  'apps',
  'namespaces',
  'mine',
  'theirs',
  'configmaps',
  'secrets',
  'pods',
  'deployments',
  'rbac.authorization.k8s.io',
  'rolebindings',
  'treasure',
  'status',
  'scale',
  'log',
  'token',
  'finalize',
  'watch',
  'proxy',
  'openapi',
  'v3',
  'metrics',
  '',
  '.',
  '..',
  '%2e%2e',
  '%2E%2E%2F',
  '..%2Ftheirs',
  'mine%2F..%2Ftheirs',
  '%00',
  '%zz',
  '%ff%fe',
  '%E2%80%AE',
  ';',
  '*',
  '__proto__',
  'constructor',
  'a'.repeat(400),
]

const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  limit: ['1', '0', '-1', '1e9', '99999999999999999999', 'x'],
  continue: ['', 'x', 'e30', 'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0Ijoi4oCmIn0', '%00'],
  resourceVersion: ['0', '1', '-1', '18446744073709551616', 'now'],
  resourceVersionMatch: ['Exact', 'NotOlderThan', 'exact', ''],
  labelSelector: ['a=b', 'a in (', '!', 'a in (b,c),d', 'a=b='.repeat(200), '(((((', 'x>1'],
  fieldSelector: ['metadata.name=treasure', 'spec.nodeName=', 'a', 'a==b,', '__proto__=x'],
  watch: ['1', 'true', 'maybe'],
  timeoutSeconds: ['1', '0', '-5', 'x', '1e400'],
  allowWatchBookmarks: ['true', 'x'],
  sendInitialEvents: ['true', 'false', 'x'],
  fieldManager: ['me', '', 'm'.repeat(300), '%00%01'],
  fieldValidation: ['Strict', 'Warn', 'Ignore', 'strict'],
  force: ['true', 'false', 'x'],
  dryRun: ['All', 'None', 'x'],
  propagationPolicy: ['Orphan', 'Foreground', 'x'],
  gracePeriodSeconds: ['0', '-1', '1e99', 'x'],
  pretty: ['true', 'x'],
  container: ['a', '%00'],
  tailLines: ['-1', '1e9'],
  sinceTime: ['yesterday'],
}

const TYPES = [
  'application/json',
  'application/yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
  'application/vnd.kubernetes.protobuf',
  'text/plain',
  'application/json; charset=\u00e4',
  ';;;',
]

const ACCEPTS = [
  '*/*',
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  'application/vnd.kubernetes.protobuf',
  'text/html;q=x',
  ',,,;;;',
]

/** Where objects of these kinds are, and one that the server takes. */
const OBJECTS: readonly (readonly [path: string, object: unknown])[] = [
  [
    '/api/v1/namespaces/mine/configmaps',
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a', labels: { a: 'b' } },
      data: { a: 'b' },
    },
  ],
  [
    '/api/v1/namespaces/mine/secrets',
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'a' },
      data: { a: 'Yg==' },
      type: 'Opaque',
    },
  ],
  [
    '/api/v1/namespaces/mine/pods',
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', ownerReferences: [], finalizers: ['example.com/x'] },
      spec: {
        containers: [
          { name: 'c', image: 'i', ports: [{ containerPort: 80 }], env: [{ name: 'A' }] },
        ],
      },
    },
  ],
  [
    '/apis/apps/v1/namespaces/mine/deployments',
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'a' },
      spec: {
        replicas: 1,
        selector: { matchLabels: { a: 'b' } },
        template: {
          metadata: { labels: { a: 'b' } },
          spec: { containers: [{ name: 'c', image: 'i' }] },
        },
      },
    },
  ],
  [
    '/apis/rbac.authorization.k8s.io/v1/namespaces/mine/rolebindings',
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'a' },
      roleRef: {
        apiGroup: 'rbac.authorization.k8s.io',
        kind: 'ClusterRole',
        name: 'cluster-admin',
      },
      subjects: [{ kind: 'User', name: 'eve', apiGroup: 'rbac.authorization.k8s.io' }],
    },
  ],
  [
    '/api/v1/namespaces/mine/services',
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { ports: [{ port: 80 }] } },
  ],
]

const PATCHES: readonly unknown[] = [
  [{ op: 'replace', path: '/data/a', value: 'c' }],
  [{ op: 'copy', from: '/metadata', path: '/metadata/labels/a' }],
  [{ op: 'test', path: '/__proto__/a', value: 1 }],
  { data: { a: null }, $patch: 'replace', '$setElementOrder/x': [1] },
  { metadata: { labels: { more: 'x' } } },
  { metadata: { managedFields: [{ manager: 'x', operation: 'Apply', fieldsV1: { 'f:x': 1 } }] } },
]

const hostileValue: Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(
    null,
    -1,
    1e300,
    2 ** 53,
    '',
    '\u0000',
    '../theirs',
    'x'.repeat(70_000),
    { __proto__: null },
    [[[[[[]]]]]],
    { 'f:a': {} },
  ),
)

/** One place of a value replaced by something else. */
function damaged(value: unknown, path: readonly number[], by: unknown): unknown {
  const [step, ...rest] = path
  if (step === undefined || typeof value !== 'object' || value === null) return by
  const keys = Object.keys(value)
  const key = keys[step % Math.max(1, keys.length)]
  if (key === undefined) return by
  const copy: Record<string, unknown> = { ...(value as Record<string, unknown>) }
  copy[key] = damaged(copy[key], rest, by)
  return Array.isArray(value) ? Object.values(copy) : copy
}

/** As it is, or with one place of it replaced. */
function perhapsDamaged(object: unknown): Arbitrary<string> {
  return fc
    .tuple(fc.array(fc.nat(9), { maxLength: 6 }), hostileValue, fc.nat(2))
    .map(([path, by, chance]) => JSON.stringify(chance === 0 ? object : damaged(object, path, by)))
}

const nearlyGood: Arbitrary<string> = fc
  .constantFrom(...OBJECTS.map(([, object]) => object), ...PATCHES)
  .chain(perhapsDamaged)

const bomb = (levels: number): string =>
  [
    'a0: &a0 [x,x,x,x,x,x,x,x,x]',
    ...Array.from(
      { length: levels },
      (_, n) => `a${n + 1}: &a${n + 1} [${Array.from({ length: 9 }, () => `*a${n}`).join(',')}]`,
    ),
  ].join('\n')

const wildText: Arbitrary<string> = fc.oneof(
  nearlyGood,
  nearlyGood,
  nearlyGood,
  fc.tuple(nearlyGood, fc.nat(200)).map(([text, cut]) => text.slice(0, -cut)),
  fc.constantFrom('[', '{"a":', '{"a":1,"a":2}', 'null', '""', '{}', '[]', bomb(7), 'a: *b', '? ['),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
  fc
    .integer({ min: 1, max: 20_000 })
    .map((depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`),
  fc.integer({ min: 1, max: 3_000 }).map((count) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'many',
        labels: Object.fromEntries(
          Array.from({ length: count }, (_, n) => [`l${n}`, 'v'.repeat(64)]),
        ),
      },
    }),
  ),
)

const body: Arbitrary<Uint8Array | undefined> = fc.oneof(
  fc.constant(undefined),
  wildText.map((text) => Buffer.from(text)),
  wildText.map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 200 }),
  fc
    .uint8Array({ maxLength: 200 })
    .map((bytes) => Buffer.concat([Buffer.from([0x6b, 0x38, 0x73, 0]), bytes])),
)

const options: Arbitrary<string> = fc
  .array(
    fc
      .constantFrom(...Object.entries(OPTIONS))
      .chain(([name, values]) => fc.constantFrom(...values).map((value) => `${name}=${value}`)),
    { maxLength: 4 },
  )
  .map((all) => (all.length === 0 ? '' : `?${all.join('&').replaceAll(' ', '%20')}`))

const anyPath: Arbitrary<string> = fc
  .array(fc.constantFrom(...WORDS), { maxLength: 9 })
  .map((words) => `/${words.join('/')}`)

const goodPath: Arbitrary<string> = fc
  .tuple(
    fc.constantFrom(...OBJECTS),
    fc.constantFrom('', '/a', '/a/status', '/a/scale', '/a/log', '/treasure'),
  )
  .map(([[path], rest]) => path + rest)

const headers: Arbitrary<Readonly<Record<string, string>>> = fc
  .tuple(
    fc.constantFrom(...TYPES),
    fc.constantFrom(...ACCEPTS),
    fc.constantFrom<Readonly<Record<string, string>>>(
      {},
      {},
      {},
      { 'impersonate-user': 'root' },
      { 'impersonate-group': 'system:masters' },
      { 'impersonate-extra-%zz': 'x' },
      { 'content-encoding': 'gzip' },
      { 'accept-encoding': 'gzip' },
    ),
  )
  .map(([type, accept, more]) => ({ 'content-type': type, accept, ...more }))

const method: Arbitrary<string> = fc.constantFrom(
  'GET',
  'GET',
  'POST',
  'POST',
  'PUT',
  'PATCH',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
)

/** A request of a kind that is known, to where it belongs, in its format: only some detail of it is wild. */
const fitting: Arbitrary<Omit<WildRequest, 'user'>> = fc
  .tuple(fc.constantFrom(...OBJECTS), fc.constantFrom('POST', 'PUT', 'PATCH'), fc.nat(99))
  .chain(([[path, object], verb, serial]) => {
    const named = { ...(object as Record<string, unknown>) }
    const metadata = named['metadata'] as Record<string, unknown>
    const isNew = verb === 'POST'
    if (isNew) named['metadata'] = { ...metadata, name: serial % 5 === 0 ? 'a' : `n${serial}` }
    const patch = fc.constantFrom(...PATCHES, named).chain(perhapsDamaged)
    return fc
      .tuple(
        verb === 'PATCH' ? patch : perhapsDamaged(named),
        verb === 'PATCH'
          ? fc.constantFrom(...TYPES.slice(2, 6))
          : fc.constantFrom(...TYPES.slice(0, 2)),
        fc.oneof(fc.constant(''), fc.constant('?fieldManager=me'), options),
      )
      .map(([text, type, query]) => ({
        method: verb,
        target: `${path}${isNew ? '' : '/a'}${query}`,
        headers: { 'content-type': type, accept: 'application/json' },
        body: Buffer.from(text),
      }))
  })

/**
 * Requests of all kinds. Who may do everything stays in the namespace `mine`, so that what others must not see
 * or change is still there at the end.
 */
export const wildRequest: Arbitrary<WildRequest> = fc
  .constantFrom<WildRequest['user']>('root', 'root', 'ann', 'nobody')
  .chain((user) => {
    const path = user === 'root' ? goodPath : fc.oneof(goodPath, anyPath)
    const wild = fc
      .tuple(method, path, options, headers, body)
      .map(([verb, target, query, head, sent]) => ({
        method: verb,
        target: target + query,
        headers: head,
        body: sent,
      }))
    return fc.oneof(wild, fitting).map((sent) => ({ user, ...sent }))
  })
