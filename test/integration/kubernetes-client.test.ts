import {
  CoordinationV1Api,
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
} from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'

let target: TestApiServer
let config: KubeConfig

beforeAll(async () => {
  target = await startTestApiServer()
  config = new KubeConfig()
  config.loadFromFile(target.kubeconfig)
})
afterAll(() => target.close())

const namespace = 'default'

describe('@kubernetes/client-node', () => {
  test('an informer sees what is there, what comes, changes and goes', async () => {
    const core = config.makeApiClient(CoreV1Api)
    const put = (name: string, data: Record<string, string>) =>
      core.createNamespacedConfigMap({
        namespace,
        body: { metadata: { name, labels: { informed: 'yes' } }, data },
      })
    await put('early', { a: '1' })
    const seen: string[] = []
    let arrived: () => void = () => undefined
    const path = `/api/v1/namespaces/${namespace}/configmaps`
    const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: 'informed=yes' })
    const informer = makeInformer(config, path, list, 'informed=yes')
    for (const event of ['add', 'update', 'delete'] as const) {
      informer.on(event, (object) => {
        seen.push(`${event} ${object.metadata?.name ?? ''}`)
        arrived()
      })
    }
    const until = async (count: number): Promise<void> => {
      while (seen.length < count)
        await new Promise<void>((resolve) => {
          arrived = resolve
        })
    }
    await informer.start()
    await until(1)
    await put('late', { a: '1' })
    await until(2)
    await core.patchNamespacedConfigMap(
      { namespace, name: 'late', body: { data: { b: '2' } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    )
    await until(3)
    await core.deleteNamespacedConfigMap({ namespace, name: 'early' })
    await until(4)
    expect(informer.list().map((object) => object.data)).toEqual([{ a: '1', b: '2' }])
    await informer.stop()
    expect(seen).toEqual(['add early', 'add late', 'update late', 'delete early'])
  })

  test('errors are those of Kubernetes', async () => {
    const core = config.makeApiClient(CoreV1Api)
    await expect(core.readNamespacedPod({ namespace, name: 'none' })).rejects.toMatchObject({
      code: 404,
    })
    const body = { metadata: { name: 'twice' } }
    await core.createNamespacedSecret({ namespace, body })
    await expect(core.createNamespacedSecret({ namespace, body })).rejects.toMatchObject({
      code: 409,
    })
  })

  test('objects of any kind are applied, and leases renewed', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config)
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'applied', namespace },
      spec: { ports: [{ name: 'http', port: 80 }], selector: { app: 'x' } },
    }
    const created = await objects.patch(
      service,
      undefined,
      undefined,
      'tester',
      true,
      PatchStrategy.ServerSideApply,
    )
    expect(created).toMatchObject({
      spec: { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] },
    })
    const leases = config.makeApiClient(CoordinationV1Api)
    const lease = await leases.createNamespacedLease({
      namespace,
      body: {
        metadata: { name: 'leader' },
        spec: { holderIdentity: 'a', leaseDurationSeconds: 15 },
      },
    })
    const renewed = await leases.replaceNamespacedLease({
      namespace,
      name: 'leader',
      body: { ...lease, spec: { ...lease.spec, holderIdentity: 'b' } },
    })
    expect(renewed.spec?.holderIdentity).toBe('b')
    await expect(
      leases.replaceNamespacedLease({ namespace, name: 'leader', body: lease }),
    ).rejects.toMatchObject({ code: 409 })
  })
})
