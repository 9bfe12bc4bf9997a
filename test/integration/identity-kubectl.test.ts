import { writeKubeconfig } from 'tideway/adapters/kubernetes/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CommandResult, kubectlFor, type RunKubectl } from '../support/api-server.ts'
import { eventually } from '../support/fleet.ts'
import {
  accountNamed,
  type IdentityServer,
  startIdentityServer,
} from '../support/identity-server.ts'
import { findKubectls, KUBECTL_HINT } from '../support/kubectl.ts'
import { skipUnless } from '../support/skip.ts'

const kubectls = await findKubectls()

test('there is a kubectl to test with', (context) => {
  skipUnless(context, kubectls.length > 0, 'kubectl', KUBECTL_HINT)
  expect(kubectls.length).toBeGreaterThan(0)
})

function ok(result: CommandResult): string {
  expect(result, JSON.stringify(result)).toMatchObject({ code: 0 })
  return result.stdout
}

// The oldest and the newest: what they send differs, what is decided does not.
const some = kubectls.filter((_, index) => index === 0 || index === kubectls.length - 1)

describe.each(some)('kubectl $version', ({ path }) => {
  let server: IdentityServer
  let run: RunKubectl
  const kubectl = (...args: readonly string[]): Promise<CommandResult> => run(args)

  beforeAll(async () => {
    server = await startIdentityServer()
    const { kubeconfig, caPem } = server.api
    const access = { server: server.api.server.url, caPem, name: 'test' }
    await writeKubeconfig(kubeconfig, { ...access, token: 'token-of-root' })
    run = kubectlFor(server.api, path)
    await server.store.create(accountNamed('robot'))
  })
  afterAll(() => server.close())

  test('makes roles and bindings, and asks about them', async () => {
    ok(await kubectl('create', 'role', 'reader', '--verb=get,list', '--resource=pods,configmaps'))
    ok(await kubectl('create', 'rolebinding', 'reader', '--role=reader', '--user=zoe'))
    ok(await kubectl('create', 'clusterrolebinding', 'all-view', '--clusterrole=view', '--group=g'))
    await eventually(
      () => server.rbac.rulesFor({ name: 'x', groups: ['g'] }, 'default').rules.length > 5,
    )
    expect(ok(await kubectl('auth', 'can-i', 'list', 'pods', '--as=zoe'))).toBe('yes\n')
    const no = await kubectl('auth', 'can-i', 'delete', 'pods', '--as=zoe')
    expect([no.code, no.stdout]).toEqual([1, 'no\n'])
    const there = await kubectl('auth', 'can-i', 'list', 'pods', '--as=zoe', '-n', 'kube-system')
    expect(there.stdout).toMatch(/^no/)
    expect(ok(await kubectl('auth', 'can-i', 'get', 'services', '--as=x', '--as-group=g'))).toBe(
      'yes\n',
    )
  })

  test('lists what one may', async () => {
    const list = ok(await kubectl('auth', 'can-i', '--list', '--as=zoe'))
    expect(list).toMatch(/^pods +\[\] +\[\] +\[get list\]$/m)
    expect(list).toMatch(
      /^selfsubjectaccessreviews\.authorization\.k8s\.io +\[\] +\[\] +\[create\]$/m,
    )
    expect(list).toMatch(/\[\/healthz\] +\[\] +\[get\]/)
    expect(ok(await kubectl('auth', 'can-i', '--list'))).toMatch(/^Resources/)
  })

  test('acts as somebody else', async () => {
    expect(ok(await kubectl('get', 'pods', '--as=zoe'))).toBe('')
    const refused = await kubectl('get', 'secrets', '--as=zoe')
    expect(refused.stderr).toBe(
      'Error from server (Forbidden): secrets is forbidden: User "zoe" cannot list resource "secrets" in API group "" in the namespace "default"\n',
    )
    const yaml = ok(await kubectl('auth', 'whoami', '-o', 'yaml', '--as=zoe', '--as-group=g'))
    expect(yaml).toContain('username: zoe')
    expect(yaml).toContain('- g')
  })

  test('creates tokens, which are who they say', async () => {
    const token = ok(await kubectl('create', 'token', 'robot', '--duration=20m')).trim()
    const whoami = ok(await kubectl('auth', 'whoami', '-o', 'yaml', `--token=${token}`))
    // The kubeconfig's own token goes first in no kubectl: the flag does.
    expect(whoami).toContain('username: system:serviceaccount:default:robot')
    const short = await kubectl('create', 'token', 'robot', '--duration=1m')
    expect(short.stderr).toContain('may not specify a duration less than 10 minutes')
    const bound = ['--bound-object-kind=Pod', '--bound-object-name=none']
    expect((await kubectl('create', 'token', 'robot', ...bound)).stderr).toContain(
      'pods "none" not found',
    )
  })

  test('reconciles roles', async () => {
    const input = JSON.stringify({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'reconciled' },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
    })
    expect(ok(await run(['auth', 'reconcile', '-f', '-'], { input }))).toContain('reconciled')
    expect(ok(await run(['auth', 'reconcile', '-f', '-'], { input }))).toContain('reconciled')
  })
})
