import { systemClock } from 'tideway'
import {
  type AccountTokens,
  anyAuthorizer,
  createAccountTokens,
  createNodeAuthorizer,
  createRbac,
  createSigningKey,
  createTrustedKeys,
  type NodeAuthorizer,
  openSigningKey,
  type Rbac,
} from 'tideway/adapters/kubernetes/identity'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { nodeCases, playNodeCase, recordedNodes, textOfCase } from '../support/node-cases.ts'

// What a node may, beside what kube-apiserver with the authorizer Node and NodeRestriction let it do.

let target: TestApiServer
let nodes: NodeAuthorizer
let rbac: Rbac
/** Secrets that no node may have, whatever its pods say. */
const kept = new Set<string>()

beforeAll(async () => {
  target = await startTestApiServer(async (store) => {
    await store.remove({ resource: 'nodes', name: 'node-1' })
    nodes = createNodeAuthorizer({
      store,
      mayReadSecret: (_node, namespace, name) => !kept.has(`${namespace}/${name}`),
    })
    rbac = createRbac(store)
    const key = openSigningKey(createSigningKey())
    const keys = createTrustedKeys(store)
    const accounts: AccountTokens = createAccountTokens({ store, key, keys, clock: systemClock })
    return {
      authorize: anyAuthorizer(nodes.authorize, rbac.authorize),
      identity: { rbac, accounts },
    }
  })
})
afterAll(async () => {
  nodes.close()
  rbac.close()
  await target.close()
})

const asTarget = (): { url: string; token: string; caPem: string } => ({
  url: target.server.url,
  token: target.token,
  caPem: target.caPem,
})

describe('as kube-apiserver', { retry: 0 }, () => {
  const recorded = recordedNodes()
  for (const [index, item] of nodeCases().entries()) {
    test(textOfCase(item), async () => {
      expect(await playNodeCase(asTarget(), item)).toEqual(recorded[index])
    })
  }
})

test('a secret that a pod refers to is kept from its node where somebody else says so', async () => {
  const get = { get: '/api/v1/namespaces/default/secrets/used' }
  expect((await playNodeCase(asTarget(), get)).code).toBe(200)
  kept.add('default/used')
  expect((await playNodeCase(asTarget(), get)).code).toBe(403)
  kept.clear()
  const gone = { root: true, delete: '/api/v1/namespaces/default/pods/mine?gracePeriodSeconds=0' }
  expect((await playNodeCase(asTarget(), gone)).code).toBe(200)
  expect((await playNodeCase(asTarget(), get)).code).toBe(403)
})
