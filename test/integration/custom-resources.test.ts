import { KubeConfig, type KubernetesObject, makeInformer } from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type CommandResult,
  kubectlFor,
  type RunKubectl,
  startTestApiServer,
  type TestApiServer,
} from '../support/api-server.ts'
import { type Send, sendTo } from '../support/kind-cases.ts'
import { KUBECTL_HINT, newestKubectl } from '../support/kubectl.ts'
import { skipUnless } from '../support/skip.ts'
import { TestFleet, until } from './fleet-programs.ts'

const ROBOTS = '/apis/shop.example.com/v1/namespaces/default/robots'

const DEFINITION = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: robots.shop.example.com}
spec:
  group: shop.example.com
  scope: Namespaced
  names: {plural: robots, singular: robot, kind: Robot, shortNames: [rb], categories: [machines]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.arms, statusReplicasPath: .status.arms}
    additionalPrinterColumns:
    - {name: Arms, type: integer, jsonPath: .spec.arms}
    - {name: Phase, type: string, jsonPath: .status.phase}
    schema:
      openAPIV3Schema:
        type: object
        description: A machine of the shop.
        properties:
          spec:
            type: object
            required: [model]
            x-kubernetes-validations:
            - {rule: "self.model != 'none'", message: there is no such model}
            properties:
              model: {type: string, description: Which one it is.}
              arms: {type: integer, minimum: 0, default: 2}
              tools:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, required: [name], properties: {name: {type: string}, size: {type: integer}}}
          status: {type: object, properties: {phase: {type: string}, arms: {type: integer}}}
  - name: v1alpha1
    served: true
    storage: false
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {model: {type: string}}}}
`

const robot = (name: string, spec: string, version = 'v1'): string =>
  `{apiVersion: shop.example.com/${version}, kind: Robot, metadata: {name: ${name}}, spec: ${spec}}`

function ok(result: CommandResult): string {
  expect(result, JSON.stringify(result)).toMatchObject({ code: 0 })
  return result.stdout
}

describe('kubectl', () => {
  let target: TestApiServer
  let run: RunKubectl
  let path: string | undefined
  const kubectl = (...args: readonly string[]): Promise<CommandResult> => run(args)
  const apply = (input: string, ...args: readonly string[]): Promise<CommandResult> =>
    run(['apply', '-f', '-', ...args], { input })

  beforeAll(async () => {
    target = await startTestApiServer()
    path = (await newestKubectl())?.path
    run = kubectlFor(target, path ?? 'kubectl')
  })
  afterAll(() => target.close())

  test('defines a kind and uses it as any other', async (context) => {
    skipUnless(context, path !== undefined, 'kubectl', KUBECTL_HINT)
    ok(await apply(DEFINITION))
    const crd = 'crd/robots.shop.example.com'
    ok(await kubectl('wait', '--for=condition=Established', crd, '--timeout=20s'))
    expect(ok(await kubectl('api-resources', '--categories=machines'))).toMatch(
      /^robots +rb +shop.example.com\/v1 +true +Robot$/m,
    )
    ok(await apply(robot('r1', '{model: a, tools: [{name: saw, size: 1}]}')))
    expect(ok(await kubectl('get', 'rb'))).toMatch(/^NAME +ARMS +PHASE\nr1 +2 *$/m)
    const explained = ok(await kubectl('explain', 'robots.spec.model'))
    expect(explained).toContain('Which one it is.')
    const wrong = await apply(robot('r2', '{model: none}'))
    expect(wrong.stderr).toContain('spec: Invalid value: there is no such model')
    expect((await apply(robot('r2', '{modle: a}'))).stderr).toMatch(/unknown field "spec.modle"/)
    const patch = ['patch', 'robot/r1', '--type=merge', '-p', '{"spec":{"model":"b"}}']
    ok(await kubectl(...patch))
    ok(await kubectl('scale', 'robot/r1', '--replicas=4'))
    const status = '{"status":{"phase":"Working"}}'
    ok(await kubectl('patch', 'rb/r1', '--subresource=status', '--type=merge', '-p', status))
    expect(ok(await kubectl('get', 'robot', 'r1'))).toMatch(/^r1 +4 +Working$/m)
    for (const tool of ['saw', 'drill']) {
      const part = robot('r3', `{model: b, tools: [{name: ${tool}}]}`)
      ok(await apply(part, '--server-side', `--field-manager=${tool}`))
    }
    const tools = ok(await kubectl('get', 'rb/r3', '-o', 'jsonpath={.spec.tools[*].name}'))
    expect(tools.split(' ').sort()).toEqual(['drill', 'saw'])
    const older = ok(await kubectl('get', 'robots.v1alpha1.shop.example.com/r1', '-o', 'json'))
    expect(JSON.parse(older)).toMatchObject({
      apiVersion: 'shop.example.com/v1alpha1',
      spec: { model: 'b' },
    })
    expect(ok(await apply(robot('r1', '{model: b}', 'v1alpha1'), '--dry-run=server'))).toContain(
      'robot.shop.example.com/r1',
    )
    ok(await kubectl('delete', 'robot', 'r1', 'r3'))
    expect((await kubectl('get', 'rb')).stderr).toContain('No resources found')
  })

  test('a kind whose definition is deleted goes with its objects, and its watches end', async (context) => {
    skipUnless(context, path !== undefined, 'kubectl', KUBECTL_HINT)
    ok(await apply(robot('last', '{model: a}')))
    const watching = kubectl('get', 'robots', '--watch', '--output-watch-events', '-o', 'name')
    const send: Send = sendTo({
      url: target.server.url,
      token: target.token,
      caPem: target.caPem,
    })
    ok(await kubectl('delete', 'crd', 'robots.shop.example.com', '--timeout=20s'))
    await watching
    expect((await send('GET', ROBOTS)).code).toBe(404)
    const groups = (await send('GET', '/apis')).body as { groups: readonly { name: string }[] }
    expect(groups.groups.map(({ name }) => name)).not.toContain('shop.example.com')
    expect(target.store.list('robots.shop.example.com').items).toEqual([])
  })

  test('an informer of client-node follows a kind', async (context) => {
    skipUnless(context, path !== undefined, 'kubectl', KUBECTL_HINT)
    ok(await apply(DEFINITION))
    ok(await kubectl('wait', '--for=condition=Established', 'crd/robots.shop.example.com'))
    ok(await apply(robot('early', '{model: a}')))
    const config = new KubeConfig()
    config.loadFromFile(target.kubeconfig)
    const send = sendTo({ url: target.server.url, token: target.token, caPem: target.caPem })
    const list = async () =>
      (await send('GET', ROBOTS)).body as { items: KubernetesObject[]; metadata: object }
    const informer = makeInformer(config, ROBOTS, list)
    const seen: string[] = []
    let arrived: () => void = () => undefined
    for (const event of ['add', 'update', 'delete'] as const) {
      informer.on(event, (object) => {
        seen.push(`${event} ${object.metadata?.name ?? ''}`)
        arrived()
      })
    }
    const untilSeen = async (count: number): Promise<void> => {
      while (seen.length < count)
        await new Promise<void>((resolve) => {
          arrived = resolve
        })
    }
    await informer.start()
    await untilSeen(1)
    ok(await apply(robot('late', '{model: a}')))
    await untilSeen(2)
    ok(await kubectl('scale', 'robot/late', '--replicas=1'))
    await untilSeen(3)
    ok(await kubectl('delete', 'robot', 'early'))
    await untilSeen(4)
    await informer.stop()
    expect(seen).toEqual(['add early', 'add late', 'update late', 'delete early'])
  })
})

describe('a fleet', () => {
  let fleet: TestFleet
  beforeAll(async () => {
    fleet = await TestFleet.create()
  })
  afterAll(() => fleet.close())

  test('a kind and its objects reach a node and are served there while it is cut off', async () => {
    const cloud = await fleet.startCloud()
    await fleet.joinEdge('edge-1')
    const api = await fleet.api('cloud')
    const { parse } = await import('yaml')
    const root = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    await api.expect('POST', root, parse(DEFINITION) as object)
    const isServed = async (where: string): Promise<boolean> =>
      (await (await fleet.api(where)).send('GET', ROBOTS)).status === 200
    await until('the kind in the cloud', () => isServed('cloud'))
    await api.expect('POST', ROBOTS, parse(robot('r1', '{model: a}')) as object)
    await until('the kind at the node', () => isServed('edge-1'))
    const edge = await fleet.api('edge-1')
    const read = () => edge.send('GET', `${ROBOTS}/r1`)
    await until('the object at the node', async () => (await read()).status === 200)
    await cloud.stop()
    const shown = await edge.expect('GET', `${ROBOTS}/r1`)
    expect(shown).toMatchObject({ kind: 'Robot', spec: { model: 'a', arms: 2 } })
    const older = await edge.expect('GET', `${ROBOTS.replace('/v1/', '/v1alpha1/')}/r1`)
    expect(older).toMatchObject({ apiVersion: 'shop.example.com/v1alpha1', spec: { model: 'a' } })
    const groups = await edge.expect('GET', '/apis/shop.example.com')
    expect(groups).toMatchObject({ preferredVersion: { version: 'v1' } })
  })
})
