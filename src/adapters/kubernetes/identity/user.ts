/** Who sends a request, as far as is proven (authentication.k8s.io UserInfo). */
export interface User {
  readonly name: string
  readonly groups: readonly string[]
  readonly uid?: string | undefined
  /** Further facts, such as the pod that a token is bound to. Keys are lower case. */
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined
}

/** The user of a request without credentials. */
export const ANONYMOUS = 'system:anonymous'

/** The group of everybody who proved who they are. */
export const AUTHENTICATED = 'system:authenticated'

/** The group of everybody who did not. */
export const UNAUTHENTICATED = 'system:unauthenticated'

/** The group that may do everything, whatever the roles say. */
export const MASTERS = 'system:masters'

/** The group of nodes. */
export const NODES = 'system:nodes'

/** The user of a request without credentials. */
export const anonymousUser: User = { name: ANONYMOUS, groups: [UNAUTHENTICATED] }

/** The user with the group of everybody who proved who they are. */
export function authenticated(user: User): User {
  if (user.groups.includes(AUTHENTICATED) || user.name === ANONYMOUS) return user
  return { ...user, groups: [...user.groups, AUTHENTICATED] }
}

const ACCOUNT_PREFIX = 'system:serviceaccount:'
const ACCOUNTS = 'system:serviceaccounts'
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

/** Names a service account. */
export interface AccountName {
  readonly namespace: string
  readonly name: string
}

/** The user name of a service account. */
export function accountUserName({ namespace, name }: AccountName): string {
  return `${ACCOUNT_PREFIX}${namespace}:${name}`
}

/** The groups that every service account of a namespace is in. */
export function accountGroups(namespace: string): readonly string[] {
  return [ACCOUNTS, `${ACCOUNTS}:${namespace}`]
}

/** The service account that a user name is of; undefined when it is none. */
export function parseAccountUserName(user: string): AccountName | undefined {
  if (!user.startsWith(ACCOUNT_PREFIX)) return undefined
  const [namespace = '', name = '', ...rest] = user.slice(ACCOUNT_PREFIX.length).split(':')
  if (rest.length > 0 || !LABEL.test(namespace) || !SUBDOMAIN.test(name)) return undefined
  return { namespace, name }
}

/** The node that a user name is of, such as `system:node:edge-1`; undefined when it is none. */
export function parseNodeUserName(user: string): string | undefined {
  const name = user.startsWith('system:node:') ? user.slice('system:node:'.length) : ''
  return SUBDOMAIN.test(name) ? name : undefined
}
