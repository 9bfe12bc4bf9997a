import { readFileSync } from 'node:fs'
import type { KubeObject } from 'tideway/adapters/kubernetes/objects'
import { describe, expect, test } from 'vitest'
import { aggregatedRules } from '../../../../../src/adapters/kubernetes/identity/aggregation.ts'
import { resourceAttributes } from '../../../../../src/adapters/kubernetes/identity/attributes.ts'
import {
  bootstrapObjects,
  completed,
} from '../../../../../src/adapters/kubernetes/identity/bootstrap.ts'
import {
  type EscalationRefusal,
  escalationRefusal,
} from '../../../../../src/adapters/kubernetes/identity/escalation.ts'
import {
  authorize,
  type Rbac,
  rulesFor,
} from '../../../../../src/adapters/kubernetes/identity/rbac.ts'
import {
  RBAC_RESOURCES,
  RbacIndex,
} from '../../../../../src/adapters/kubernetes/identity/rbac-index.ts'
import type { User } from '../../../../../src/adapters/kubernetes/identity/user.ts'
import { RBAC_OBJECTS, RBAC_USERS, rbacRequests } from '../../../../support/rbac-cases.ts'

const RESOURCE_OF: Readonly<Record<string, string>> = {
  Role: RBAC_RESOURCES.roles,
  ClusterRole: RBAC_RESOURCES.clusterRoles,
  RoleBinding: RBAC_RESOURCES.roleBindings,
  ClusterRoleBinding: RBAC_RESOURCES.clusterRoleBindings,
}

function indexOf(objects: readonly KubeObject[]): RbacIndex {
  const index = new RbacIndex()
  for (const object of objects) index.set(RESOURCE_OF[object.kind] ?? '', object)
  return index
}

/** The roles of a new cluster, with those that gather others filled. */
function filled(objects: readonly KubeObject[]): readonly KubeObject[] {
  let now = objects
  for (const name of ['view', 'edit', 'admin']) {
    now = now.map((object) =>
      object.kind === 'ClusterRole' && object.metadata.name === name
        ? { ...object, rules: aggregatedRules(object, now) }
        : object,
    )
  }
  return now
}

const everything = filled([...bootstrapObjects(true), ...RBAC_OBJECTS])

describe('decisions', () => {
  const recorded = JSON.parse(
    readFileSync(
      new URL('../../../../fixtures/kubernetes-rbac/decisions.json', import.meta.url),
      'utf8',
    ),
  ) as { readonly decisions: Readonly<Record<string, string>> }
  const index = indexOf(everything)

  for (const user of RBAC_USERS) {
    test(`${user.name} may what a real API server lets them`, () => {
      const expected = recorded.decisions[user.name] ?? ''
      const requests = rbacRequests()
      expect(expected.length).toBe(requests.length)
      const wrong = requests.filter((attributes, at) => {
        const { allowed, reason } = authorize(index, user, attributes)
        return (allowed ? '+' : reason === '' ? '-' : '?') !== expected[at]
      })
      expect(wrong).toEqual([])
    })
  }

  test('say which binding allows, and which role is not there', () => {
    const ask = (name: string, verb: string, resource: string) =>
      authorize(
        index,
        { name, groups: [] },
        resourceAttributes({ verb, resource, namespace: 'default' }),
      )
    expect(ask('ann', 'list', 'pods').reason).toBe(
      'RBAC: allowed by RoleBinding "case-named/default" of Role "case-named" to User "ann"',
    )
    expect(ask('system:serviceaccount:default:scaler', 'list', 'pods').reason).toBe(
      'RBAC: allowed by RoleBinding "case-named/default" of Role "case-named" to ServiceAccount "scaler/default"',
    )
    expect(ask('zoe', 'list', 'pods').reason).toBe(
      'RBAC: [clusterrole.rbac.authorization.k8s.io "nor-this" not found, role.rbac.authorization.k8s.io "nobody-made-this" not found]',
    )
  })

  test('follow a binding that changes and goes', () => {
    const own = indexOf(everything)
    const binding = RBAC_OBJECTS.find(
      ({ kind, metadata }) => kind === 'RoleBinding' && metadata.name === 'case-apps',
    )
    if (binding === undefined) throw new Error('the case is gone')
    const may = (name: string): boolean =>
      authorize(
        own,
        { name, groups: [] },
        resourceAttributes({
          verb: 'delete',
          group: 'apps',
          resource: 'deployments',
          namespace: 'default',
        }),
      ).allowed
    expect([may('ann'), may('new')]).toEqual([true, false])
    const subjects = [{ kind: 'User', name: 'new' }]
    own.set(RBAC_RESOURCES.roleBindings, { ...binding, subjects })
    expect([may('ann'), may('new')]).toEqual([false, true])
    own.delete(RBAC_RESOURCES.roleBindings, binding)
    expect([may('ann'), may('new')]).toEqual([false, false])
  })

  test('are not fooled by malformed objects', () => {
    const odd = (kind: string, fields: object): KubeObject =>
      ({ kind, apiVersion: '', metadata: { name: 'odd' }, ...fields }) as unknown as KubeObject
    const own = indexOf([
      odd('ClusterRole', { rules: [{ verbs: '*', resources: ['*'], apiGroups: ['*'] }, 7, null] }),
      odd('ClusterRoleBinding', {
        roleRef: { kind: 'ClusterRole', name: 'odd' },
        subjects: [{ kind: 'ServiceAccount', name: 'x' }, { kind: 'Robot', name: 'ann' }, 3],
      }),
    ])
    const asked = resourceAttributes({ verb: 'get', resource: 'pods' })
    expect(authorize(own, { name: 'ann', groups: [] }, asked).allowed).toBe(false)
    expect(authorize(own, { name: 'nobody', groups: ['nobody'] }, asked).allowed).toBe(false)
  })
})

describe('granting', () => {
  const index = indexOf(everything)
  const rbac: Rbac = {
    authorize: (user, attributes) => authorize(index, user, attributes),
    rulesFor: (user, namespace) => rulesFor(index, user, namespace),
    roleRules: (role, namespace) => index.rules(role, namespace),
    close: () => undefined,
  }
  const grant = (
    user: User,
    object: object,
    before?: KubeObject,
  ): EscalationRefusal | undefined => {
    const given = object as KubeObject
    const granting = { user, rbac, authorize: rbac.authorize }
    return escalationRefusal(granting, RESOURCE_OF[given.kind] ?? '', given, before)
  }
  const ann: User = { name: 'ann', groups: ['system:authenticated'] }
  const role = (rules: readonly object[]): object => ({
    kind: 'Role',
    metadata: { name: 'made', namespace: 'default' },
    rules,
  })
  const binding = (kind: string, name: string): object => ({
    kind: 'RoleBinding',
    metadata: { name: 'made', namespace: 'default' },
    roleRef: { kind, name },
    subjects: [],
  })

  test('nobody grants what they do not hold', () => {
    const wanted = [
      { apiGroups: ['apps'], resources: ['deployments', 'deployments/scale'], verbs: ['get'] },
      { apiGroups: [''], resources: ['pods', 'secrets'], verbs: ['list', 'get'] },
      { apiGroups: [''], resources: ['configmaps'], resourceNames: ['one'], verbs: ['patch'] },
    ]
    expect(grant(ann, role(wanted))).toEqual({
      missing: false,
      message:
        'user "ann" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["pods"], Verbs:["get"]}\n' +
        '{APIGroups:[""], Resources:["secrets"], Verbs:["list" "get"]}',
    })
    expect(grant(ann, role(wanted.slice(0, 1)))).toBeUndefined()
  })

  test('a binding needs a role that is there, and that one holds', () => {
    expect(grant(ann, binding('ClusterRole', 'case-apps'))).toBeUndefined()
    expect(grant(ann, binding('Role', 'none'))).toEqual({
      missing: true,
      message: 'role.rbac.authorization.k8s.io "none" not found',
    })
    expect(grant(ann, binding('ClusterRole', 'cluster-admin'))?.message).toContain(
      '{NonResourceURLs:["*"], Verbs:["*"]}',
    )
  })

  test('who may bind or escalate need not hold, and masters need nothing', () => {
    const rules = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]
    const root: User = { name: 'root', groups: ['system:masters'] }
    expect(grant(root, role(rules))).toBeUndefined()
    const allowed = { user: ann, rbac, authorize: () => ({ allowed: true, reason: '' }) }
    expect(
      escalationRefusal(allowed, RBAC_RESOURCES.roles, role(rules) as KubeObject, undefined),
    ).toBeUndefined()
    expect(
      escalationRefusal(
        allowed,
        RBAC_RESOURCES.roleBindings,
        binding('ClusterRole', 'cluster-admin') as KubeObject,
        undefined,
      ),
    ).toBeUndefined()
  })

  test('what does not change the grant is nobody`s business', () => {
    const before = role([{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]) as KubeObject
    const metadata = { ...before.metadata, finalizers: ['x/y'] }
    expect(grant(ann, { ...before, metadata }, before)).toBeUndefined()
    const labels = { ...before.metadata, labels: { a: 'b' } }
    expect(grant(ann, { ...before, metadata: labels }, before)).toBeDefined()
  })

  test('gathering rules takes all rights there are', () => {
    const gathering = {
      kind: 'ClusterRole',
      metadata: { name: 'made' },
      rules: [],
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
    }
    expect(grant(ann, gathering)?.message).toBe(
      'must have cluster-admin privileges to use the aggregationRule',
    )
  })
})

describe('the roles of a new cluster', () => {
  test('admin has what edit has, and edit what view has', () => {
    const count = (name: string): number => {
      const role = everything.find((o) => o.kind === 'ClusterRole' && o.metadata.name === name)
      return (role?.['rules'] as readonly object[] | undefined)?.length ?? 0
    }
    expect(count('view')).toBeGreaterThan(5)
    expect(count('edit')).toBeGreaterThan(count('view'))
    expect(count('admin')).toBeGreaterThan(count('edit'))
  })

  test('are completed and not replaced', () => {
    const [wanted] = bootstrapObjects(false).filter(
      ({ metadata }) => metadata.name === 'system:discovery',
    )
    if (wanted === undefined) throw new Error('no such role')
    expect(completed(wanted, wanted)).toBe(wanted)
    const own = { apiGroups: ['mine'], resources: ['things'], verbs: ['get'] }
    const labels = { ...wanted.metadata.labels, own: 'yes' }
    const found = { ...wanted, metadata: { ...wanted.metadata, labels }, rules: [own] }
    const after = completed(found, wanted)
    expect((after['rules'] as object[])[0]).toEqual(own)
    expect((after['rules'] as object[]).length).toBeGreaterThan(1)
    expect(after.metadata.labels).toEqual(labels)
    expect(completed(after, wanted)).toBe(after)
  })
})
