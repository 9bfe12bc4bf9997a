import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { consoleLogger, systemClock, systemRandom } from 'tideway'
import { createDisruptionController } from 'tideway/adapters/kubernetes/controllers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type CommandResult,
  kubectlFor,
  type RunKubectl,
  startTestApiServer,
  type TestApiServer,
} from '../support/api-server.ts'
import { findKubectls, KUBECTL_HINT } from '../support/kubectl.ts'
import { skipUnless } from '../support/skip.ts'

const kubectls = await findKubectls()

test('there is a kubectl to test with', (context) => {
  skipUnless(context, kubectls.length > 0, 'kubectl', KUBECTL_HINT)
  expect(kubectls.length).toBeGreaterThan(0)
})

const POD = (image: string): string => `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - {name: main, image: ${image}, ports: [{containerPort: 80}], env: [{name: A, value: "1"}]}
`
const CONFIG = (b: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: "1", b: "${b}"}
`
const REPLICA_SET = `
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: three}
spec:
  replicas: 1
  selector: {matchLabels: {app: three}}
  template:
    metadata: {labels: {app: three}}
    spec:
      containers:
      - {name: one, image: "a:1"}
      - {name: two, image: "b:1"}
`

function ok(result: CommandResult): string {
  expect(result, JSON.stringify(result)).toMatchObject({ code: 0 })
  return result.stdout
}

function refused(result: CommandResult, text: string | RegExp): void {
  expect(result.code, JSON.stringify(result)).not.toBe(0)
  expect(result.stderr).toMatch(text)
}

describe.each(kubectls)('kubectl $version', ({ path }) => {
  let target: TestApiServer
  let run: RunKubectl
  const kubectl = (...args: readonly string[]): Promise<CommandResult> => run(args)
  const apply = (input: string, ...args: readonly string[]): Promise<CommandResult> =>
    run(['apply', '-f', '-', ...args], { input })

  beforeAll(async () => {
    target = await startTestApiServer()
    run = kubectlFor(target, path)
  })
  afterAll(() => target.close())

  test('finds out what is served', async () => {
    expect(ok(await kubectl('version'))).toContain('Server Version: v1.36.3')
    const resources = ok(await kubectl('api-resources'))
    expect(resources).toMatch(/^pods +po +v1 +true +Pod$/m)
    expect(resources).toMatch(/^replicasets +rs +apps\/v1 +true +ReplicaSet$/m)
    expect(ok(await kubectl('get', '--raw', '/readyz'))).toBe('ok')
    expect(ok(await kubectl('get', 'nodes'))).toMatch(/^node-1 +Ready +<none> +\S+ +v1.33.0$/m)
  })

  test('applies from the client: created, unchanged, diff, configured', async () => {
    expect(ok(await apply(POD('nginx:1')))).toBe('pod/web created\n')
    expect(ok(await apply(POD('nginx:1')))).toBe('pod/web unchanged\n')
    const diff = await run(['diff', '-f', '-'], { input: POD('nginx:2') })
    expect(diff.code).toBe(1)
    expect(diff.stdout).toContain('+  - image: nginx:2'.slice(4))
    expect(
      ok(await kubectl('get', 'pod', 'web', '-o', 'jsonpath={.spec.containers[0].image}')),
    ).toBe('nginx:1')
    expect(ok(await apply(POD('nginx:2')))).toBe('pod/web configured\n')
    const pod = JSON.parse(ok(await kubectl('get', 'pod', 'web', '-o', 'json')))
    expect(pod.spec.containers[0]).toMatchObject({
      image: 'nginx:2',
      imagePullPolicy: 'IfNotPresent',
      env: [{ name: 'A', value: '1' }],
      ports: [{ containerPort: 80, protocol: 'TCP' }],
    })
    expect(pod.status).toEqual({ phase: 'Pending', qosClass: 'BestEffort' })
  })

  test('gets as a table, wide, by label, by field, over all namespaces', async () => {
    expect(ok(await kubectl('get', 'pods'))).toMatch(
      /^NAME +READY +STATUS +RESTARTS +AGE\nweb +0\/1 +Pending +0 +\d+s\n$/,
    )
    expect(ok(await kubectl('get', 'pods', '-o', 'wide'))).toMatch(
      /NODE +NOMINATED NODE +READINESS GATES/,
    )
    expect(
      ok(
        await kubectl(
          'get',
          'pods',
          '-A',
          '-l',
          'app=web',
          '--field-selector',
          'status.phase=Pending',
          '-o',
          'name',
        ),
      ),
    ).toBe('pod/web\n')
    expect(ok(await kubectl('get', 'pods', '-l', 'app notin (web)', '-o', 'name'))).toBe('')
    expect(ok(await kubectl('get', 'pod', 'web', '-o', 'yaml'))).toContain('  name: web\n')
    refused(
      await kubectl('get', 'pods', '--field-selector', 'nope=1'),
      /field label not supported: nope/,
    )
    refused(
      await kubectl('get', 'pods', 'missing'),
      'Error from server (NotFound): pods "missing" not found',
    )
    expect(ok(await kubectl('describe', 'pod', 'web'))).toMatch(/^Name: +web$/m)
  })

  test('applies on the server: created, conflict, force, co-owned, removed', async () => {
    expect(ok(await apply(CONFIG('2'), '--server-side', '--field-manager=one'))).toBe(
      'configmap/settings serverside-applied\n',
    )
    const other = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {b: "3"}\n'
    refused(
      await apply(other, '--server-side', '--field-manager=two'),
      'Apply failed with 1 conflict: conflict with "one": .data.b',
    )
    ok(await apply(other, '--server-side', '--field-manager=two', '--force-conflicts'))
    expect(ok(await kubectl('get', 'cm', 'settings', '-o', 'jsonpath={.data}'))).toBe(
      '{"a":"1","b":"3"}',
    )
    const less = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {c: "4"}\n'
    ok(await apply(less, '--server-side', '--field-manager=one'))
    expect(ok(await kubectl('get', 'cm', 'settings', '-o', 'jsonpath={.data}'))).toBe(
      '{"b":"3","c":"4"}',
    )
    const dry = ok(
      await apply(
        CONFIG('9'),
        '--server-side',
        '--field-manager=two',
        '--force-conflicts',
        '--dry-run=server',
      ),
    )
    expect(dry).toContain('serverside-applied (server dry run)')
    expect(ok(await kubectl('get', 'cm', 'settings', '-o', 'jsonpath={.data}'))).toBe(
      '{"b":"3","c":"4"}',
    )
  })

  test('turns from applying on the client to applying on the server', async () => {
    ok(await apply(CONFIG('2').replace('settings', 'moved')))
    ok(await apply(CONFIG('5').replace('settings', 'moved'), '--server-side'))
    const one = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: moved}\ndata: {a: "1"}\n'
    ok(await apply(one, '--server-side'))
    expect(ok(await kubectl('get', 'cm', 'moved', '-o', 'jsonpath={.data}'))).toBe('{"a":"1"}')
  })

  test('creates from files and generators', async () => {
    expect(ok(await run(['create', '-f', '-'], { input: REPLICA_SET }))).toBe(
      'replicaset.apps/three created\n',
    )
    refused(
      await run(['create', '-f', '-'], { input: REPLICA_SET }),
      /AlreadyExists.*replicasets.apps "three" already exists/,
    )
    ok(await kubectl('create', 'configmap', 'made', '--from-literal=k=v'))
    ok(await kubectl('create', 'secret', 'generic', 'hidden', '--from-literal=k=v'))
    ok(await kubectl('create', 'namespace', 'apart'))
    ok(await kubectl('create', 'serviceaccount', 'robot'))
    ok(await kubectl('create', 'service', 'clusterip', 'front', '--tcp=80:8080'))
    expect(ok(await kubectl('get', 'cm', 'made', '-o', 'jsonpath={.data}'))).toBe('{"k":"v"}')
    expect(ok(await kubectl('get', 'secret', 'hidden', '-o', 'jsonpath={.data.k} {.type}'))).toBe(
      'dg== Opaque',
    )
    expect(
      ok(await kubectl('get', 'svc', 'front', '-o', 'jsonpath={.spec.ports[0].targetPort}')),
    ).toBe('8080')
    refused(
      await kubectl('create', 'cm', 'x', '--from-literal=a=b', '-n', 'nowhere'),
      'namespaces "nowhere" not found',
    )
  })

  test('patches, labels, annotates, edits and scales', async () => {
    ok(
      await kubectl(
        'patch',
        'pod',
        'web',
        '-p',
        '{"spec":{"containers":[{"name":"main","image":"nginx:3"}]}}',
      ),
    )
    ok(
      await kubectl(
        'patch',
        'pod',
        'web',
        '--type=json',
        '-p',
        '[{"op":"add","path":"/metadata/labels/z","value":"2"}]',
      ),
    )
    ok(
      await kubectl(
        'patch',
        'pod',
        'web',
        '--type=merge',
        '-p',
        '{"metadata":{"annotations":{"n":"1"}}}',
      ),
    )
    ok(
      await kubectl(
        'patch',
        'pod',
        'web',
        '--subresource=status',
        '--type=merge',
        '-p',
        '{"status":{"phase":"Running"}}',
      ),
    )
    ok(await kubectl('label', 'pod', 'web', 'k=v'))
    ok(await kubectl('annotate', 'pod', 'web', 'm=2'))
    const pod = JSON.parse(ok(await kubectl('get', 'pod', 'web', '-o', 'json')))
    expect(pod.metadata.labels).toEqual({ app: 'web', z: '2', k: 'v' })
    expect(pod.metadata.annotations).toMatchObject({ n: '1', m: '2' })
    expect(pod.spec.containers).toMatchObject([
      { name: 'main', image: 'nginx:3', env: [{ name: 'A', value: '1' }] },
    ])
    expect(pod.status.phase).toBe('Running')
    const edited = await run(['edit', 'cm', 'made'], { editor: "sed -i 's/k: v/k: w/'" })
    expect(ok(edited)).toBe('configmap/made edited\n')
    expect(ok(await kubectl('get', 'cm', 'made', '-o', 'jsonpath={.data.k}'))).toBe('w')
    ok(await run(['edit', 'rs', 'three'], { editor: "sed -i 's/b:1/b:2/'" }))
    expect(
      ok(
        await kubectl(
          'get',
          'rs',
          'three',
          '-o',
          'jsonpath={.spec.template.spec.containers[*].image}',
        ),
      ),
    ).toBe('a:1 b:2')
    ok(await kubectl('scale', 'rs', 'three', '--replicas=3'))
    expect(ok(await kubectl('get', 'rs'))).toMatch(/^three +3 +0 +0 /m)
  })

  test('waits and follows', async () => {
    ok(await kubectl('wait', '--for=jsonpath={.spec.replicas}=3', 'rs/three', '--timeout=10s'))
    const waiting = kubectl('wait', '--for=condition=Ready', 'pod/web', '--timeout=20s')
    await target.store.update(
      { resource: 'pods', namespace: 'default', name: 'web' },
      (pod) => ({
        ...pod,
        status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
      }),
      { part: 'observed' },
    )
    expect(ok(await waiting)).toBe('pod/web condition met\n')
    const watching = run(['get', 'cm', '--watch', '-o', 'name'], { until: 'configmap/late' })
    ok(await kubectl('create', 'cm', 'late', '--from-literal=a=b'))
    expect((await watching).stdout).toContain('configmap/late')
  })

  test('shows logs', async () => {
    await target.store.update(
      { resource: 'pods', namespace: 'default', name: 'web' },
      (pod) => ({ ...pod, spec: { ...(pod['spec'] as object), nodeName: 'node-1' } }),
      { part: 'desired' },
    )
    expect(ok(await kubectl('logs', 'web'))).toBe('first line\nsecond line\n')
    refused(await kubectl('logs', 'web', '-c', 'none'), /container none is not valid for pod web/)
    const following = await run(['logs', '-f', 'web'], { until: 'second line\n' })
    expect(following.stdout).toBe('first line\nsecond line\n')
  })

  test('pages and explains', async () => {
    expect(ok(await kubectl('get', 'cm', '--chunk-size=1', '-o', 'name')).split('\n').length).toBe(
      5,
    )
    expect(ok(await kubectl('explain', 'pod.spec.containers'))).toMatch(
      /containers +<\[\]Container>/,
    )
    expect(ok(await kubectl('auth', 'can-i', 'get', 'pods'))).toBe('yes\n')
    expect(ok(await kubectl('auth', 'whoami'))).toContain('tester')
  })

  test('refuses what is wrong, and says what', async () => {
    const file = join(target.folder, 'bad.yaml')
    await writeFile(
      file,
      'apiVersion: v1\nkind: Pod\nmetadata: {name: Bad_Name}\nspec: {containers: [{name: c}, {name: c, image: x}], foo: 1}\n',
    )
    refused(await kubectl('create', '-f', file), 'unknown field "spec.foo"')
    const result = await kubectl('create', '--validate=false', '-f', file)
    refused(result, /metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain/)
    refused(result, 'spec.containers[0].image: Required value')
    refused(result, 'spec.containers[1].name: Duplicate value: "c"')
    refused(
      await kubectl('patch', 'pod', 'web', '-p', '{"spec":{"restartPolicy":"Never"}}'),
      /pod updates may not change fields/,
    )
  })

  test('deletes: at once, waiting, by force, a namespace with what is in it', async () => {
    ok(await kubectl('create', 'cm', 'inside', '--from-literal=a=b', '-n', 'apart'))
    expect(ok(await kubectl('delete', 'ns', 'apart', '--timeout=20s'))).toContain('"apart" deleted')
    expect(target.store.list('configmaps', 'apart').items).toEqual([])
    ok(await kubectl('delete', 'rs', 'three'))
    const waiting = kubectl('wait', '--for=delete', 'pod/web', '--timeout=20s')
    ok(await kubectl('delete', 'pod', 'web', '--wait=false'))
    expect(ok(await kubectl('get', 'pods'))).toMatch(/^web +1?0?\/1 +Terminating/m)
    ok(await kubectl('delete', 'pod', 'web', '--force', '--grace-period=0'))
    ok(await waiting)
    ok(await kubectl('delete', 'cm,secret,svc,sa', '--all'))
    expect(ok(await kubectl('get', 'cm,secret,svc,sa,pods', '-o', 'name'))).toBe('')
  })
})

test('a drain goes on without kube-controller-manager where the budget of its pods allows it', async (context) => {
  const kubectl = kubectls.at(-1)
  skipUnless(context, kubectl !== undefined, 'kubectl', KUBECTL_HINT)
  if (kubectl === undefined) return
  const api = await startTestApiServer()
  const { store } = api
  const logger = consoleLogger('silent')
  const parts = { store, clock: systemClock, random: systemRandom, logger }
  const controller = createDisruptionController(parts)
  try {
    const run = kubectlFor(api, kubectl.path)
    await store.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'leaving' } })
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
    for (const name of ['a', 'b', 'stays'])
      await store.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', labels: { app: 'web' } },
        spec: { nodeName: name === 'stays' ? 'other' : 'leaving', containers: [] },
        status,
      })
    ok(await run(['create', 'pdb', 'web', '--selector=app=web', '--min-available=1']))
    const drain = ['drain', 'leaving', '--force', '--grace-period=0', '--timeout=60s']
    expect(ok(await run(drain))).toContain('node/leaving drained')
    expect(store.list('pods').items.map((pod) => pod.metadata.name)).toEqual(['stays'])
  } finally {
    await controller.close()
    await api.close()
  }
})
