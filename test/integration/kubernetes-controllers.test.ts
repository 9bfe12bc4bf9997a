import { consoleLogger, systemClock } from 'tideway'
import { createLeaseGate } from 'tideway/adapters/kubernetes/controllers'
import type { JsonObject, KubeObject, ObjectKey } from 'tideway/adapters/kubernetes/objects'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { mapAt, mapsAt, numberAt, textAt } from '../../src/adapters/kubernetes/objects/read.ts'
import { CLUSTER_HINT, findPrograms, type Programs } from '../cluster/programs.ts'
import { type ControlledServer, startControlledServer } from '../support/controlled-server.ts'
import { skipUnless } from '../support/skip.ts'
import { untilGone, untilListed, untilShown } from '../support/until-shown.ts'

let programs: Programs | undefined
let target: ControlledServer
beforeAll(async () => {
  programs = await findPrograms()
  if (programs === undefined) return
  target = await startControlledServer(programs, ['left', 'right'])
})
afterAll(async () => await target?.close())
beforeEach((context) => {
  skipUnless(context, programs !== undefined, 'kube-controller-manager', CLUSTER_HINT)
})

const space = (namespace: string): string => `/api/v1/namespaces/${namespace}`
const apis = (group: string, namespace: string, plural: string): string =>
  `/apis/${group}/namespaces/${namespace}/${plural}`
const key = (resource: string, namespace: string, name: string): ObjectKey => ({
  resource,
  namespace,
  name,
})

/** A namespace of its own for each test, which can so run beside what an earlier one left. */
async function makeSpace(name: string): Promise<string> {
  await target.create('/api/v1/namespaces', { metadata: { name } })
  return name
}

const podSpec = (more: JsonObject = {}): JsonObject => ({
  containers: [{ name: 'main', image: 'example.com/app:1' }],
  ...more,
})
const templateOf = (app: string, more: JsonObject = {}): JsonObject => ({
  metadata: { labels: { app } },
  spec: podSpec(more),
})
const workload = (name: string, replicas: number, more: JsonObject = {}): JsonObject => ({
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: templateOf(name),
    ...more,
  },
})
const isRunning = (pod: KubeObject): boolean => textAt(pod, 'status', 'phase') === 'Running'
const count = (field: string, expected: number) => (object: KubeObject) =>
  (numberAt(object, 'status', field) ?? 0) === expected
const hasCondition =
  (type: string, status = 'True') =>
  (object: KubeObject) =>
    mapsAt(object, 'status', 'conditions').some((c) => c['type'] === type && c['status'] === status)
const ownersOf = (object: KubeObject): readonly (string | undefined)[] =>
  mapsAt(object, 'metadata', 'ownerReferences').map((owner) => textAt(owner, 'name'))

describe('a kube-controller-manager and a kube-scheduler of Kubernetes', () => {
  test('hold their leases, while which our own controllers rest', async () => {
    for (const name of ['kube-controller-manager', 'kube-scheduler']) {
      const lease = key('leases.coordination.k8s.io', 'kube-system', name)
      await untilShown(target.store, lease, (held) => {
        const renewals = textAt(held, 'spec', 'renewTime') !== undefined
        return renewals && textAt(held, 'spec', 'holderIdentity') !== undefined
      })
    }
    let starts = 0
    let taken = 0
    const gate = createLeaseGate({
      store: target.store,
      clock: systemClock,
      logger: consoleLogger('silent'),
      lease: 'kube-controller-manager',
      start: () => {
        starts += 1
        return []
      },
      onHeld: () => {
        taken += 1
      },
    })
    await gate.close()
    expect(taken).toBe(1)
    expect(starts).toBe(0)
  })

  test('furnish each namespace', async () => {
    const home = await makeSpace('furnished')
    await untilShown(target.store, key('serviceaccounts', home, 'default'))
    const map = await untilShown(target.store, key('configmaps', home, 'kube-root-ca.crt'))
    expect(textAt(map, 'data', 'ca.crt')).toBe(target.server.api.caPem)
  })

  test('roll out a deployment over two nodes, to a new template and back, and wait while it is paused', async () => {
    const home = await makeSpace('rollout')
    const path = apis('apps/v1', home, 'deployments')
    const web = key('deployments.apps', home, 'web')
    await target.create(path, workload('web', 4))
    await untilShown(target.store, web, count('availableReplicas', 4))
    const nodes = target.store
      .list('pods', home)
      .items.map((pod) => textAt(pod, 'spec', 'nodeName'))
    expect(nodes.sort()).toEqual(['left', 'left', 'right', 'right'])
    const image = (tag: string): JsonObject => ({
      spec: {
        template: { spec: { containers: [{ name: 'main', image: `example.com/app:${tag}` }] } },
      },
    })
    const isAt = (revision: string) => (object: KubeObject) =>
      textAt(mapAt(object, 'metadata', 'annotations'), 'deployment.kubernetes.io/revision') ===
        revision && isSettled(object)
    await target.patch(`${path}/web`, image('2'))
    await untilShown(target.store, web, isAt('2'))
    await target.patch(`${path}/web`, image('1'))
    await untilShown(target.store, web, isAt('3'))
    const sets = target.store.list('replicasets.apps', home).items
    expect(sets.map((set) => numberAt(set, 'spec', 'replicas')).sort()).toEqual([0, 4])
    await target.patch(`${path}/web`, { spec: { paused: true } })
    await target.patch(`${path}/web`, image('3'))
    await untilShown(target.store, web, hasCondition('Progressing', 'Unknown'))
    expect(target.store.list('replicasets.apps', home).items).toHaveLength(2)
    await target.patch(`${path}/web`, { spec: { paused: false } })
    await untilShown(target.store, web, isAt('4'))
    await target.patch(`${path}/web/scale`, { spec: { replicas: 1 } }).catch(() => undefined)
  })

  test('complete a job, and remove it after its time', async () => {
    const home = await makeSpace('jobs')
    await target.create(apis('batch/v1', home, 'jobs'), {
      metadata: { name: 'sum' },
      spec: {
        completions: 3,
        parallelism: 2,
        ttlSecondsAfterFinished: 2,
        template: { spec: podSpec({ restartPolicy: 'Never' }) },
      },
    })
    const job = key('jobs.batch', home, 'sum')
    const done = await untilShown(target.store, job, hasCondition('Complete'))
    expect(numberAt(done, 'status', 'succeeded')).toBe(3)
    await untilGone(target.store, job)
    await untilListed(target.store, 'pods', home, (pods) => pods.length === 0)
  })

  test('make the job of a cron job that is due', async () => {
    const home = await makeSpace('cron')
    const path = apis('batch/v1', home, 'cronjobs')
    const jobTemplate = { spec: { template: { spec: podSpec({ restartPolicy: 'Never' }) } } }
    await target.create(path, {
      metadata: { name: 'tick' },
      spec: { schedule: '*/5 * * * *', suspend: true, jobTemplate },
    })
    // What was due while it was suspended is made up for.
    const lastScheduleTime = new Date(Date.now() - 600_000).toISOString().replace(/\.\d+Z$/, 'Z')
    await target.patch(`${path}/tick/status`, { status: { lastScheduleTime } })
    await target.patch(`${path}/tick`, { spec: { suspend: false } })
    const [job] = await untilListed(target.store, 'jobs.batch', home, (jobs) => jobs.length > 0)
    expect(job === undefined ? [] : ownersOf(job)).toEqual(['tick'])
  })

  test('keep stateful sets and daemon sets', async () => {
    const home = await makeSpace('sets')
    await target.create('/apis/storage.k8s.io/v1/storageclasses', {
      metadata: { name: 'late' },
      provisioner: 'kubernetes.io/no-provisioner',
      volumeBindingMode: 'WaitForFirstConsumer',
    })
    const claim = {
      metadata: { name: 'data' },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        storageClassName: 'late',
      },
    }
    await target.create(
      apis('apps/v1', home, 'statefulsets'),
      workload('db', 2, { serviceName: 'db' }),
    )
    await target.create(
      apis('apps/v1', home, 'statefulsets'),
      workload('disk', 1, { serviceName: 'disk', volumeClaimTemplates: [claim] }),
    )
    const { replicas: _, ...spec } = workload('log', 1)['spec'] as JsonObject
    await target.create(apis('apps/v1', home, 'daemonsets'), { metadata: { name: 'log' }, spec })
    await untilShown(target.store, key('statefulsets.apps', home, 'db'), count('readyReplicas', 2))
    await untilShown(target.store, key('daemonsets.apps', home, 'log'), count('numberReady', 2))
    await untilShown(target.store, key('pods', home, 'db-1'), isRunning)
    await untilShown(target.store, key('persistentvolumeclaims', home, 'data-disk-0'))
  })

  test('scale by a horizontal pod autoscaler', async () => {
    const home = await makeSpace('scaled')
    await target.create(apis('apps/v1', home, 'deployments'), workload('web', 1))
    await target.create(apis('autoscaling/v2', home, 'horizontalpodautoscalers'), {
      metadata: { name: 'web' },
      spec: {
        // Where there are no metrics it keeps the number between the bounds.
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        minReplicas: 3,
        maxReplicas: 5,
      },
    })
    await untilShown(target.store, key('deployments.apps', home, 'web'), count('readyReplicas', 3))
  })

  test('list the endpoints of a service', async () => {
    const home = await makeSpace('network')
    await target.create(`${space(home)}/services`, {
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    })
    await target.create(apis('apps/v1', home, 'deployments'), workload('web', 2))
    const isComplete = (slices: readonly KubeObject[]): boolean =>
      slices.flatMap((slice) =>
        mapsAt(slice, 'endpoints').filter((end) => mapAt(end, 'conditions')?.['ready'] === true),
      ).length === 2
    const slices = 'endpointslices.discovery.k8s.io'
    const [slice] = await untilListed(target.store, slices, home, isComplete)
    expect(slice?.metadata.labels?.['kubernetes.io/service-name']).toBe('web')
    await untilShown(target.store, key('endpoints', home, 'web'), (endpoints) =>
      mapsAt(endpoints, 'subsets').some((subset) => mapsAt(subset, 'addresses').length === 2),
    )
  })

  test('bind claims to volumes, and protect both while they are used', async () => {
    const home = await makeSpace('volumes')
    const volume: ObjectKey = { resource: 'persistentvolumes', name: 'disk' }
    const claim = key('persistentvolumeclaims', home, 'data')
    await target.create('/api/v1/persistentvolumes', {
      metadata: { name: 'disk' },
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '1Gi' },
        hostPath: { path: '/srv/disk' },
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: '',
      },
    })
    await target.create(`${space(home)}/persistentvolumeclaims`, {
      metadata: { name: 'data' },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        storageClassName: '',
      },
    })
    const isBound = (object: KubeObject): boolean => textAt(object, 'status', 'phase') === 'Bound'
    await untilShown(target.store, claim, isBound)
    const volumes = [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }]
    await target.create(`${space(home)}/pods`, {
      metadata: { name: 'user' },
      spec: podSpec({ volumes }),
    })
    await untilShown(target.store, key('pods', home, 'user'), isRunning)
    await target.remove(`${space(home)}/persistentvolumeclaims/data`)
    await target.remove('/api/v1/persistentvolumes/disk')
    const going = await untilShown(target.store, claim)
    expect(going.metadata.deletionTimestamp).toBeDefined()
    await target.remove(`${space(home)}/pods/user`)
    await untilGone(target.store, claim)
    await untilGone(target.store, volume)
  })

  test('count quotas and disruption budgets', async () => {
    const home = await makeSpace('counted')
    await target.create(apis('apps/v1', home, 'deployments'), workload('web', 3))
    await target.create(apis('policy/v1', home, 'poddisruptionbudgets'), {
      metadata: { name: 'web' },
      spec: { minAvailable: 2, selector: { matchLabels: { app: 'web' } } },
    })
    const budget = key('poddisruptionbudgets.policy', home, 'web')
    await untilShown(target.store, budget, count('disruptionsAllowed', 1))
    const pods = target.store.list('pods', home).items.map(({ metadata }) => metadata.name)
    const evict = (name = ''): Promise<JsonObject> =>
      target.create(`${space(home)}/pods/${name}/eviction`, { metadata: { name } })
    await evict(pods[0])
    const budgets = apis('policy/v1', home, 'poddisruptionbudgets')
    await target.patch(`${budgets}/web`, { spec: { minAvailable: 3 } })
    await untilShown(target.store, budget, count('disruptionsAllowed', 0))
    await untilShown(target.store, key('deployments.apps', home, 'web'), count('readyReplicas', 3))
    const [another] = target.store.list('pods', home).items.filter(isRunning)
    await expect(evict(another?.metadata.name)).rejects.toThrow(/429 .*pod's disruption budget/)
    // A quota that comes later: what is made under one is counted as it is admitted.
    await target.create(`${space(home)}/resourcequotas`, {
      metadata: { name: 'few' },
      spec: { hard: { pods: '5', configmaps: '10' } },
    })
    await untilShown(
      target.store,
      key('resourcequotas', home, 'few'),
      (quota) => textAt(quota, 'status', 'used', 'pods') === '3',
    )
  })

  test('check the types of a policy of admission, and say what is wrong in its status', async () => {
    const name = 'few.example.com'
    await target.create('/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies', {
      metadata: { name },
      spec: {
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: ['apps'],
              apiVersions: ['v1'],
              operations: ['*'],
              resources: ['deployments'],
            },
          ],
        },
        validations: [{ expression: "object.spec.replicas > '1'" }],
      },
    })
    const policy: ObjectKey = {
      resource: 'validatingadmissionpolicies.admissionregistration.k8s.io',
      name,
    }
    const shown = await untilShown(target.store, policy, count('observedGeneration', 1))
    const warnings = mapsAt(shown, 'status', 'typeChecking', 'expressionWarnings')
    expect(warnings.map((warning) => textAt(warning, 'fieldRef'))).toEqual([
      'spec.validations[0].expression',
    ])
    expect(textAt(warnings[0], 'warning')).toContain("found no matching overload for '_>_'")
  })

  test('collect what belongs to what is gone: at once, first, or never', async () => {
    const home = await makeSpace('garbage')
    const sets = apis('apps/v1', home, 'replicasets')
    for (const name of ['background', 'foreground', 'orphan']) {
      await target.create(sets, workload(name, 1))
    }
    const podsOf = (name: string): readonly KubeObject[] =>
      target.store.list('pods', home).items.filter((pod) => pod.metadata.labels?.['app'] === name)
    await untilListed(
      target.store,
      'pods',
      home,
      (pods) => pods.length === 3 && pods.every(isRunning),
    )
    const [left] = podsOf('orphan')
    await target.remove(`${sets}/background`, { propagationPolicy: 'Background' })
    const answer = await target.remove(`${sets}/foreground`, { propagationPolicy: 'Foreground' })
    expect(mapAt(answer, 'metadata')?.['finalizers']).toEqual(['foregroundDeletion'])
    await target.remove(`${sets}/orphan`, { propagationPolicy: 'Orphan' })
    for (const name of ['background', 'foreground', 'orphan']) {
      await untilGone(target.store, key('replicasets.apps', home, name))
    }
    expect(podsOf('foreground')).toEqual([])
    await untilListed(target.store, 'pods', home, (pods) => pods.length === 1)
    const [kept] = podsOf('orphan')
    expect(kept?.metadata.uid).toBe(left?.metadata.uid)
    expect(kept === undefined ? ['?'] : ownersOf(kept)).toEqual([])
  })

  test('empty a namespace and let it go', async () => {
    const home = await makeSpace('leaving')
    // It begins after five seconds, and by then expects that pods may still have some of their time.
    const template = templateOf('web', { terminationGracePeriodSeconds: 8 })
    await target.create(apis('apps/v1', home, 'deployments'), workload('web', 2, { template }))
    await target.create(`${space(home)}/configmaps`, { metadata: { name: 'c' } })
    await untilShown(target.store, key('deployments.apps', home, 'web'), count('readyReplicas', 2))
    const answer = await target.remove(space(home))
    expect(textAt(answer, 'status', 'phase')).toBe('Terminating')
    await untilGone(target.store, { resource: 'namespaces', name: home })
    for (const resource of target.store.resources.filter((each) => each.namespaced)) {
      expect(target.store.list(resource.id, home).items).toEqual([])
    }
  })

  test('taint a node that is not ready, and move what does not bear it', async () => {
    const home = await makeSpace('taints')
    const tolerations = ['not-ready', 'unreachable'].map((name) => ({
      key: `node.kubernetes.io/${name}`,
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 0,
    }))
    const spec = { template: templateOf('web', { tolerations }) }
    await target.create(apis('apps/v1', home, 'deployments'), workload('web', 2, spec))
    await untilShown(target.store, key('deployments.apps', home, 'web'), count('readyReplicas', 2))
    await target.nodes.setReady('left', 'False')
    await untilShown(target.store, { resource: 'nodes', name: 'left' }, (node) =>
      mapsAt(node, 'spec', 'taints').some((taint) => taint['effect'] === 'NoExecute'),
    )
    const isMoved = (pods: readonly KubeObject[]): boolean =>
      pods.length === 2 && pods.every((pod) => textAt(pod, 'spec', 'nodeName') === 'right')
    await untilListed(target.store, 'pods', home, (pods) => isMoved(pods) && pods.every(isRunning))
    await target.nodes.setReady('left', 'True')
    await untilShown(
      target.store,
      { resource: 'nodes', name: 'left' },
      (node) => mapsAt(node, 'spec', 'taints').length === 0,
    )
  })

  test('say why a pod fits nowhere, and make room for one that matters more', async () => {
    const home = await makeSpace('room')
    const asks = (cpu: string, more: JsonObject = {}): JsonObject => ({
      containers: [{ name: 'main', image: 'i', resources: { requests: { cpu } } }],
      ...more,
    })
    await target.create('/apis/scheduling.k8s.io/v1/priorityclasses', {
      metadata: { name: 'urgent' },
      value: 1000,
    })
    const pods = `${space(home)}/pods`
    await target.create(pods, { metadata: { name: 'huge' }, spec: asks('64') })
    await target.create(pods, { metadata: { name: 'one' }, spec: asks('3') })
    await target.create(pods, { metadata: { name: 'two' }, spec: asks('3') })
    const huge = await untilShown(
      target.store,
      key('pods', home, 'huge'),
      hasCondition('PodScheduled', 'False'),
    )
    expect(JSON.stringify(huge['status'])).toContain('Insufficient cpu')
    for (const name of ['one', 'two']) {
      await untilShown(target.store, key('pods', home, name), isRunning)
    }
    const urgent = asks('3', { priorityClassName: 'urgent' })
    await target.create(pods, { metadata: { name: 'urgent' }, spec: urgent })
    await untilShown(target.store, key('pods', home, 'urgent'), isRunning)
    await untilListed(target.store, 'pods', home, (all) => all.length === 3)
    const reasons = (events: readonly KubeObject[]): readonly unknown[] =>
      events.map((event) => event['reason'])
    await untilListed(target.store, 'events', home, (events) =>
      ['FailedScheduling', 'Scheduled', 'Preempted'].every((reason) =>
        reasons(events).includes(reason),
      ),
    )
  })

  test('meet no error that is not known', async () => {
    const errors = await target.errors()
    const isKnown = (line: string): boolean => KNOWN.some(({ text }) => text.test(line))
    expect(errors.filter((line) => !isKnown(line))).toEqual([])
  })
})

/** What the programs call an error, and why it is none of the server's. */
const KNOWN: readonly { readonly text: RegExp; readonly why: string }[] = [
  { text: /The manifest file is empty, ignoring/, why: 'a setting that is left out' },
  { text: /is not as new as written version/, why: 'they wait for their watch; so in any cluster' },
  { text: /the object has been modified; please apply/, why: 'they try again; so in any cluster' },
  {
    text: /kube-apiserver-legacy-service-account-token-tracking/,
    why: 'tokens of service accounts were never kept in secrets here',
  },
  {
    text: /Status after running PostFilter plugins.*not found/,
    why: 'a pod was deleted while room was sought for it; so in any cluster',
  },
  {
    text: /sync \\+"garbage\/[a-z-]+\\+" failed with .* not found/,
    why: 'what the tests of garbage delete may go while it is looked after; so in any cluster',
  },
  { text: /unable to fetch metrics from resource metrics API/, why: 'nothing measures the pods' },
]

function isSettled(deployment: KubeObject): boolean {
  const { generation } = deployment.metadata
  const status = mapAt(deployment, 'status') ?? {}
  const wanted = numberAt(deployment, 'spec', 'replicas')
  return (
    status['observedGeneration'] === generation &&
    ['replicas', 'updatedReplicas', 'availableReplicas'].every((field) => status[field] === wanted)
  )
}
