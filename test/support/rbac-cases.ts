import type { KubeObject } from 'tideway/adapters/kubernetes/objects'
import type { Attributes } from '../../src/adapters/kubernetes/identity/attributes.ts'
import type { User } from '../../src/adapters/kubernetes/identity/user.ts'

const API = 'rbac.authorization.k8s.io/v1'
const GROUP = 'rbac.authorization.k8s.io'

function role(name: string, namespace: string, rules: readonly object[]): KubeObject {
  const kind = namespace === '' ? 'ClusterRole' : 'Role'
  return { apiVersion: API, kind, metadata: meta(name, namespace), rules } as unknown as KubeObject
}

function binding(
  name: string,
  namespace: string,
  given: string,
  subjects: readonly object[],
): KubeObject {
  const [kind, role] = given.split('/')
  return {
    apiVersion: API,
    kind: namespace === '' ? 'ClusterRoleBinding' : 'RoleBinding',
    metadata: meta(name, namespace),
    roleRef: { apiGroup: GROUP, kind, name: role },
    subjects,
  } as unknown as KubeObject
}

function meta(name: string, namespace: string): { name: string; namespace?: string } {
  return namespace === '' ? { name } : { name, namespace }
}

const user = (name: string): object => ({ kind: 'User', apiGroup: GROUP, name })
const group = (name: string): object => ({ kind: 'Group', apiGroup: GROUP, name })
const account = (name: string, namespace: string): object => ({
  kind: 'ServiceAccount',
  name,
  namespace,
})

/** Roles and bindings that try every way of saying who may what. */
export const RBAC_OBJECTS: readonly KubeObject[] = [
  role('case-logs', '', [{ apiGroups: [''], resources: ['pods/log'], verbs: ['get'] }]),
  role('case-scale', '', [{ apiGroups: ['*'], resources: ['*/scale'], verbs: ['get', 'update'] }]),
  role('case-apps', '', [{ apiGroups: ['apps'], resources: ['*'], verbs: ['*'] }]),
  role('case-urls', '', [
    { nonResourceURLs: ['/metrics', '/debug/*', '/x*'], verbs: ['get', 'post'] },
  ]),
  role('case-any-url', '', [{ nonResourceURLs: ['*'], verbs: ['get'] }]),
  role('case-named', 'default', [
    { apiGroups: [''], resources: ['configmaps'], resourceNames: ['one', 'two'], verbs: ['*'] },
    { apiGroups: ['', 'apps'], resources: ['pods', 'deployments'], verbs: ['list'] },
  ]),
  role('case-secrets', 'kube-system', [
    { apiGroups: [''], resources: ['secrets'], verbs: ['get'] },
  ]),
  binding('case-logs', '', 'ClusterRole/case-logs', [user('ann')]),
  binding('case-logs-there', 'kube-system', 'ClusterRole/case-logs', [group('readers')]),
  binding('case-scale', '', 'ClusterRole/case-scale', [account('scaler', 'default')]),
  binding('case-apps', 'default', 'ClusterRole/case-apps', [group('builders'), user('ann')]),
  binding('case-urls', '', 'ClusterRole/case-urls', [user('ann')]),
  binding('case-any-url', '', 'ClusterRole/case-any-url', [group('readers')]),
  binding('case-named', 'default', 'Role/case-named', [user('ann'), account('scaler', 'default')]),
  binding('case-secrets', 'kube-system', 'Role/case-secrets', [
    group('system:serviceaccounts:default'),
  ]),
  binding('case-gone', 'default', 'Role/nobody-made-this', [user('zoe')]),
  binding('case-gone-too', '', 'ClusterRole/nor-this', [user('zoe')]),
  binding('case-view', 'default', 'ClusterRole/view', [user('vic')]),
  binding('case-edit', 'default', 'ClusterRole/edit', [user('ed')]),
  binding('case-admin', 'default', 'ClusterRole/admin', [user('ada')]),
]

/** Who asks. */
export const RBAC_USERS: readonly User[] = [
  { name: 'ann', groups: ['system:authenticated'] },
  { name: 'zoe', groups: ['system:authenticated'] },
  { name: 'rob', groups: ['readers', 'system:authenticated'] },
  { name: 'bea', groups: ['builders', 'readers', 'system:authenticated'] },
  { name: 'vic', groups: ['system:authenticated'] },
  { name: 'ed', groups: ['system:authenticated'] },
  { name: 'ada', groups: ['system:authenticated'] },
  { name: 'root', groups: ['system:masters', 'system:authenticated'] },
  { name: 'system:anonymous', groups: ['system:unauthenticated'] },
  {
    name: 'system:serviceaccount:default:scaler',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
  },
  { name: 'system:kube-scheduler', groups: ['system:authenticated'] },
  { name: 'system:kube-controller-manager', groups: ['system:authenticated'] },
  { name: 'system:node:edge-1', groups: ['system:nodes', 'system:authenticated'] },
]

const PATHS = [
  '/',
  '/api',
  '/apis/apps',
  '/healthz',
  '/version',
  '/metrics',
  '/debug/',
  '/xyz',
  '/y',
]

const RESOURCES: readonly (readonly [group: string, resource: string, subresource: string])[] = [
  ['', 'pods', ''],
  ['', 'pods', 'log'],
  ['', 'pods', 'exec'],
  ['', 'configmaps', ''],
  ['', 'secrets', ''],
  ['', 'nodes', ''],
  ['', 'namespaces', ''],
  ['', 'serviceaccounts', 'token'],
  ['', 'replicationcontrollers', 'scale'],
  ['apps', 'deployments', ''],
  ['apps', 'deployments', 'scale'],
  ['apps', 'deployments', 'status'],
  ['batch', 'jobs', ''],
  [GROUP, 'roles', ''],
  [GROUP, 'clusterroles', ''],
  ['authorization.k8s.io', 'selfsubjectaccessreviews', ''],
  ['authorization.k8s.io', 'localsubjectaccessreviews', ''],
  ['example.com', 'widgets', ''],
]

/** What is asked: each verb on each resource, here and there, named or not, and paths. */
export function rbacRequests(): readonly Attributes[] {
  const none = { group: '', version: '', resource: '', subresource: '', namespace: '', name: '' }
  const paths = PATHS.flatMap((path) => ['get', 'post'].map((verb) => ({ ...none, verb, path })))
  const resources = RESOURCES.flatMap(([group, resource, subresource]) =>
    ['get', 'list', 'create', 'update', 'delete', 'impersonate'].flatMap((verb) =>
      ['', 'default', 'kube-system'].flatMap((namespace) =>
        ['', 'one'].map((name) => ({
          verb,
          group,
          version: '*',
          resource,
          subresource,
          namespace,
          name,
          path: '',
        })),
      ),
    ),
  )
  return [...paths, ...resources]
}
