import type { KubeObject, OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type CommandResult,
  kubectlFor,
  startTestApiServer,
  type TestApiServer,
} from '../support/api-server.ts'
import { CHART, findHelms, HELM_HINT } from '../support/helm.ts'
import { skipUnless } from '../support/skip.ts'

const helms = await findHelms()

test('there is a helm to test with', (context) => {
  skipUnless(context, helms.length > 0, 'helm', HELM_HINT)
  expect(helms.length).toBeGreaterThan(0)
})

/** What the chart makes in a namespace, by resource id. */
const MADE = [
  'configmaps',
  'secrets',
  'serviceaccounts',
  'services',
  'deployments.apps',
  'cronjobs.batch',
  'ingresses.networking.k8s.io',
  'roles.rbac.authorization.k8s.io',
  'rolebindings.rbac.authorization.k8s.io',
  'horizontalpodautoscalers.autoscaling',
  'poddisruptionbudgets.policy',
  'widgets.shop.example.com',
] as const

describe.each(helms)('helm $version', ({ path }) => {
  let target: TestApiServer
  let stop: () => void = () => undefined
  const helm = async (...args: readonly string[]): Promise<CommandResult> =>
    await kubectlFor(target, path)([...args, '--namespace=shop'])
  const ok = async (...args: readonly string[]): Promise<string> => {
    const result = await helm(...args)
    expect(result, JSON.stringify(result)).toMatchObject({ code: 0 })
    return result.stdout
  }
  const named = (resource: string, name = 'web'): KubeObject | undefined =>
    target.store.get({ resource, namespace: 'shop', name })

  beforeAll(async () => {
    target = await startTestApiServer()
    stop = runEverything(target.store)
  })
  afterAll(async () => {
    stop()
    await target.close()
  })

  test('installs a chart with its kind and its hook', async () => {
    const args = ['install', 'web', CHART, '--create-namespace', '--timeout=60s']
    expect(await ok(...args)).toMatch(/STATUS: deployed\nREVISION: 1/)
    expect(MADE.filter((resource) => named(resource) === undefined)).toEqual([])
    expect(named('jobs.batch', 'web-pre-install')).toBeDefined()
    expect(named('widgets.shop.example.com')).toMatchObject({ spec: { size: 3 } })
    expect(named('secrets', 'sh.helm.release.v1.web.v1')).toBeDefined()
    const again = await helm(...args)
    expect(again).toMatchObject({ code: 1 })
    expect(again.stderr).toMatch(/name that is still in use|cannot reuse a name/)
  })

  test('tells what is there', async () => {
    expect(await ok('list')).toMatch(/^web\s+shop\s+1\s.*\sdeployed\s+shop-0\.1\.0/m)
    expect(await ok('status', 'web')).toContain('STATUS: deployed')
    expect(await ok('get', 'values', 'web', '--all')).toContain('greeting: hello')
    expect(await ok('get', 'manifest', 'web')).toContain('kind: HorizontalPodAutoscaler')
  })

  test('upgrades, and runs the hook after it', async () => {
    const args = ['upgrade', 'web', CHART, '--set=greeting=hi,replicas=2', '--timeout=60s']
    const rehearsed = await ok(...args, '--dry-run=server')
    expect(rehearsed).toContain('REVISION: 2')
    expect(named('configmaps')).toMatchObject({ data: { greeting: 'hello' } })
    expect(await ok(...args)).toMatch(/REVISION: 2/)
    expect(named('configmaps')).toMatchObject({ data: { greeting: 'hi' } })
    expect(named('deployments.apps')).toMatchObject({ spec: { replicas: 2 } })
    expect(named('jobs.batch', 'web-post-upgrade')).toBeDefined()
    const refused = await helm('upgrade', 'web', CHART, '--set=replicas=-1')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('spec.replicas: Invalid value: -1')
  })

  test('rolls back and knows its history', async () => {
    expect(await ok('rollback', 'web', '1', '--timeout=60s')).toContain('Rollback was a success')
    expect(named('configmaps')).toMatchObject({ data: { greeting: 'hello' } })
    expect(named('deployments.apps')).toMatchObject({ spec: { replicas: 1 } })
    const history = await ok('history', 'web')
    expect(history).toMatch(/^1\s.*superseded/m)
    expect(history).toMatch(/^4\s.*deployed.*Rollback to 1/m)
  })

  test('runs the tests of a chart', async () => {
    expect(await ok('test', 'web', '--timeout=60s')).toMatch(/Phase:\s+Succeeded/)
    expect(named('pods', 'web-test')).toBeDefined()
  })

  test('uninstalls what it made, but kinds', async () => {
    expect(await ok('uninstall', 'web', '--timeout=60s')).toContain('release "web" uninstalled')
    expect(MADE.filter((resource) => named(resource) !== undefined)).toEqual([])
    expect(await ok('list')).not.toContain('web')
    const kind = { resource: 'customresourcedefinitions.apiextensions.k8s.io' }
    expect(target.store.get({ ...kind, name: 'widgets.shop.example.com' })).toBeDefined()
  })
})

/** Reports jobs as complete and pods as done as soon as they are there, as what runs them would. */
function runEverything(store: OpenObjectStore): () => void {
  const report = (resource: string, status: KubeObject['status']): (() => void) =>
    store.watch(resource, {}, ({ type, object }) => {
      if (type !== 'ADDED') return
      const { name, namespace } = object.metadata
      store
        .update({ resource, namespace, name }, (found) => ({ ...found, status }), {
          part: 'observed',
        })
        .catch(() => undefined)
    })
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  const complete = { type: 'Complete', status: 'True', lastTransitionTime: time }
  const jobs = report('jobs.batch', {
    active: 0,
    completionTime: time,
    conditions: [{ ...complete, type: 'SuccessCriteriaMet' }, complete],
    startTime: time,
    succeeded: 1,
  })
  const pods = report('pods', {
    phase: 'Succeeded',
    conditions: [{ type: 'Ready', status: 'False', reason: 'PodCompleted' }],
  })
  return () => {
    jobs()
    pods()
  }
}
