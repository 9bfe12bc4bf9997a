import fc from 'fast-check'
import type { KubeObject } from 'tideway/adapters/kubernetes/objects'
import { expect, test } from 'vitest'
import type { Attributes } from '../../src/adapters/kubernetes/identity/attributes.ts'
import { uncovered } from '../../src/adapters/kubernetes/identity/escalation.ts'
import { authorize } from '../../src/adapters/kubernetes/identity/rbac.ts'
import { RBAC_RESOURCES, RbacIndex } from '../../src/adapters/kubernetes/identity/rbac-index.ts'
import { type Rule, ruleAllows, rulesOf } from '../../src/adapters/kubernetes/identity/rule.ts'
import type { User } from '../../src/adapters/kubernetes/identity/user.ts'

const NAMESPACES = ['', 'red', 'blue'] as const
const word = (...words: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...words)
const few = (item: fc.Arbitrary<string>, minLength = 1): fc.Arbitrary<string[]> =>
  fc.array(item, { minLength, maxLength: 2 })

const rule = fc.oneof(
  fc.record({
    verbs: few(word('*', 'get', 'list')),
    apiGroups: few(word('*', '', 'apps')),
    resources: few(word('*', 'pods', 'pods/log', '*/log', '*/scale', 'sets', 'sets/scale')),
    resourceNames: few(word('one', 'two'), 0),
  }),
  fc.record({
    verbs: few(word('*', 'get', 'post')),
    nonResourceURLs: few(word('*', '/a', '/a/*', '/a*', '/b')),
  }),
)

const role = fc.record({
  name: word('r1', 'r2'),
  namespace: word(...NAMESPACES),
  rules: fc.array(rule, { maxLength: 2 }),
})

const subject = fc.oneof(
  fc.record({ kind: fc.constant('User'), name: word('ann', 'system:serviceaccount:red:bot') }),
  fc.record({ kind: fc.constant('Group'), name: word('g1', 'g2') }),
  fc.record(
    { kind: fc.constant('ServiceAccount'), name: word('bot'), namespace: word('red', 'blue') },
    { requiredKeys: ['kind', 'name'] },
  ),
)

const binding = fc.record({
  name: word('b1', 'b2', 'b3'),
  namespace: word(...NAMESPACES),
  role: fc.record({ kind: word('Role', 'ClusterRole'), name: word('r1', 'r2') }),
  subjects: fc.array(subject, { maxLength: 3 }),
})

/** What happens to the objects: one is set, or taken away. */
const step = fc.oneof(
  role.map((value) => ({ type: 'role' as const, value, gone: false })),
  binding.map((value) => ({ type: 'binding' as const, value, gone: false })),
  role.map((value) => ({ type: 'role' as const, value, gone: true })),
  binding.map((value) => ({ type: 'binding' as const, value, gone: true })),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const user: fc.Arbitrary<User> = fc.record({
  name: word('ann', 'system:serviceaccount:red:bot', 'system:serviceaccount:blue:bot'),
  groups: fc.subarray(['g1', 'g2']),
})

const attributes: fc.Arbitrary<Attributes> = fc.oneof(
  fc.record({
    verb: word('get', 'list'),
    group: word('', 'apps'),
    version: fc.constant('v1'),
    resource: word('pods', 'sets'),
    subresource: word('', 'log', 'scale'),
    namespace: word(...NAMESPACES),
    name: word('', 'one', 'two'),
    path: fc.constant(''),
  }),
  fc.record({
    verb: word('get', 'post'),
    group: fc.constant(''),
    version: fc.constant(''),
    resource: fc.constant(''),
    subresource: fc.constant(''),
    namespace: fc.constant(''),
    name: fc.constant(''),
    path: word('/a', '/a/b', '/ab', '/b'),
  }),
)

/** The same question, answered by looking at everything there is. */
function naive(steps: readonly Step[], who: User, asked: Attributes): boolean {
  const state = new Map<string, Step>()
  for (const item of steps) {
    const key = `${item.type}/${item.value.namespace}/${item.value.name}`
    if (item.gone) state.delete(key)
    else state.set(key, item)
  }
  const all = [...state.values()]
  return all.some((item) => {
    if (item.type !== 'binding') return false
    const { namespace, subjects } = item.value
    if (namespace !== '' && namespace !== asked.namespace) return false
    const isFor = subjects.some((one) => {
      if (one.kind === 'User') return one.name === who.name
      if (one.kind === 'Group') return who.groups.includes(one.name)
      const home = ('namespace' in one ? one.namespace : undefined) ?? namespace
      return home !== '' && who.name === `system:serviceaccount:${home}:${one.name}`
    })
    if (!isFor) return false
    const place = item.value.role.kind === 'ClusterRole' ? '' : namespace
    if (item.value.role.kind === 'Role' && namespace === '') return false
    const found = state.get(`role/${place}/${item.value.role.name}`)
    return found?.type === 'role' && rulesOf(found.value.rules).some((r) => allows(r, asked))
  })
}

function allows(rule: Rule, asked: Attributes): boolean {
  const one = (list: readonly string[], wanted: readonly string[]): boolean =>
    list.some((item) => wanted.includes(item))
  if (!one(rule.verbs, ['*', asked.verb])) return false
  if (asked.resource === '') {
    return rule.nonResourceURLs.some((url) =>
      url.endsWith('*') ? asked.path.startsWith(url.slice(0, -1)) : url === asked.path,
    )
  }
  const { resource, subresource } = asked
  const names = subresource === '' ? [resource] : [`${resource}/${subresource}`, `*/${subresource}`]
  return (
    one(rule.apiGroups, ['*', asked.group]) &&
    one(rule.resources, ['*', ...names]) &&
    (rule.resourceNames.length === 0 || rule.resourceNames.includes(asked.name))
  )
}

function objectOf(item: Step): readonly [resource: string, object: KubeObject] {
  const { name, namespace } = item.value
  const metadata = namespace === '' ? { name } : { name, namespace }
  const base = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: '', metadata }
  if (item.type === 'role') {
    const resource = namespace === '' ? RBAC_RESOURCES.clusterRoles : RBAC_RESOURCES.roles
    return [resource, { ...base, rules: item.value.rules } as unknown as KubeObject]
  }
  const resource =
    namespace === '' ? RBAC_RESOURCES.clusterRoleBindings : RBAC_RESOURCES.roleBindings
  const { role: roleRef, subjects } = item.value
  return [resource, { ...base, roleRef, subjects } as unknown as KubeObject]
}

test('the index decides what looking at everything decides', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 12 }),
      fc.array(fc.tuple(user, attributes), { minLength: 1, maxLength: 8 }),
      (steps, questions) => {
        const index = new RbacIndex()
        for (const item of steps) {
          const [resource, object] = objectOf(item)
          if (item.gone) index.delete(resource, object)
          else index.set(resource, object)
        }
        for (const [who, asked] of questions) {
          expect(authorize(index, who, asked).allowed).toBe(naive(steps, who, asked))
        }
      },
    ),
    { numRuns: 1_000 },
  )
})

test('who holds every part of some rules may everything that they allow', () => {
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 3 }),
      fc.array(rule, { maxLength: 3 }),
      attributes,
      (held, wanted, asked) => {
        const owner = rulesOf(held)
        const rules = rulesOf(wanted)
        if (uncovered(owner, rules).length > 0) return
        if (rules.some((one) => ruleAllows(one, asked)))
          expect(owner.some((one) => ruleAllows(one, asked))).toBe(true)
      },
    ),
    { numRuns: 2_000 },
  )
})
