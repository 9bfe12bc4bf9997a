import type { IncomingMessage } from 'node:http'
import { type Attributes, quoted, resourceAttributes } from '../identity/attributes.ts'
import {
  ANONYMOUS,
  AUTHENTICATED,
  accountGroups,
  MASTERS,
  parseAccountUserName,
  parseNodeUserName,
  UNAUTHENTICATED,
  type User,
} from '../identity/user.ts'
import { type Authorize, notAllowed, requireAllowed } from './authorization.ts'
import { badRequest, StatusError } from './status.ts'

/** More values of one kind than this are refused: each costs a decision. */
const VALUES_MAX = 64

const EXTRA_PREFIX = 'impersonate-extra-'
const REVIEWS = 'authentication.k8s.io'
const NODE_NAME = 'authentication.kubernetes.io/node-name'

/** Whom a request wants to act as, as its headers say it. */
interface Wanted {
  readonly name: string
  readonly uid: string
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
}

/** One way of being allowed to act as somebody. The last one is the oldest, and grants the most. */
type Mode = 'associated-node' | 'arbitrary-node' | 'serviceaccount' | 'user-info' | 'legacy'

/**
 * The user that a request is to be treated as, by its `Impersonate-` headers; undefined when it has
 * none.
 *
 * @param asked what the request itself wants to do, which a role may limit impersonation to.
 * @throws StatusError: 400 for headers without a user name, 403 when the user may not.
 */
export async function impersonatedUser(
  request: IncomingMessage,
  user: User,
  asked: Attributes,
  authorize: Authorize | undefined,
): Promise<User | undefined> {
  const wanted = wantedUser(request)
  if (wanted === undefined) return undefined
  let first: unknown
  for (const mode of modesFor(wanted, user)) {
    try {
      return await actAs(mode, wanted, user, asked, authorize)
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      first ??= error
    }
  }
  throw first
}

function wantedUser(request: IncomingMessage): Wanted | undefined {
  const headers = request.headersDistinct
  const name = headers['impersonate-user']?.[0] ?? ''
  const uid = headers['impersonate-uid']?.[0] ?? ''
  const groups = headers['impersonate-group'] ?? []
  const extra: Record<string, readonly string[]> = {}
  for (const [header, values] of Object.entries(headers)) {
    if (!header.startsWith(EXTRA_PREFIX) || values === undefined) continue
    extra[unescaped(header.slice(EXTRA_PREFIX.length))] = values
  }
  const count = groups.length + Object.values(extra).reduce((sum, list) => sum + list.length, 0)
  if (count > VALUES_MAX) throw badRequest(`at most ${VALUES_MAX} groups and extra values`)
  if (name !== '') return { name, uid, groups, extra }
  if (count === 0 && uid === '') return undefined
  throw badRequest(
    `requested ${goText({ name, uid, groups, extra })} without impersonating a user name`,
  )
}

function unescaped(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}

/** As Go shows such a user; clients show the message as it is. */
function goText({ uid, groups, extra }: Wanted): string {
  const list = (items: readonly string[]): string => `{${items.map(quoted).join(', ')}}`
  const keys = Object.keys(extra).sort()
  const map = keys.map((key) => `${quoted(key)}:[]string${list(extra[key] ?? [])}`).join(', ')
  const extraText = keys.length === 0 ? '(nil)' : `{${map}}`
  const groupText = groups.length === 0 ? '(nil)' : list(groups)
  return `&user.DefaultInfo{Name:"", UID:${quoted(uid)}, Groups:[]string${groupText}, Extra:map[string][]string${extraText}}`
}

function modesFor(wanted: Wanted, user: User): readonly Mode[] {
  const isBare =
    wanted.uid === '' && wanted.groups.length === 0 && Object.keys(wanted.extra).length === 0
  const node = parseNodeUserName(wanted.name)
  const isAccount = parseAccountUserName(wanted.name) !== undefined
  if (node !== undefined) {
    if (!isBare) return ['legacy']
    const isOwn =
      parseAccountUserName(user.name) !== undefined && user.extra?.[NODE_NAME]?.[0] === node
    return isOwn ? ['associated-node', 'arbitrary-node', 'legacy'] : ['arbitrary-node', 'legacy']
  }
  if (isAccount) return isBare ? ['serviceaccount', 'legacy'] : ['legacy']
  return ['user-info', 'legacy']
}

async function actAs(
  mode: Mode,
  wanted: Wanted,
  user: User,
  asked: Attributes,
  authorize: Authorize | undefined,
): Promise<User> {
  const isLimited = mode !== 'legacy'
  const verb = isLimited ? `impersonate:${mode}` : 'impersonate'
  const check = async (attributes: Attributes): Promise<void> => {
    await requireAllowed(authorize, user, attributes)
  }
  if (isLimited) await check({ ...asked, verb: `impersonate-on:${mode}:${asked.verb}` })
  const group = isLimited ? REVIEWS : ''
  const fixed = await checkName(mode, wanted, verb, group, check)
  if (wanted.uid !== '')
    await check(resourceAttributes({ verb, group: REVIEWS, resource: 'uids', name: wanted.uid }))
  const inGroups = resourceAttributes({ verb, group, resource: 'groups' })
  if (isLimited && wanted.groups.includes(''))
    throw notAllowed(user, inGroups, 'impersonating the empty string group is not allowed')
  if (isLimited && wanted.groups.includes(MASTERS)) {
    const reason = `impersonating the ${MASTERS} group is not allowed`
    throw notAllowed(user, { ...inGroups, name: MASTERS }, reason)
  }
  for (const name of wanted.groups) await check({ ...inGroups, name })
  for (const [subresource, values] of Object.entries(wanted.extra)) {
    const resource = { verb, group: REVIEWS, resource: 'userextras', subresource }
    for (const name of values) await check(resourceAttributes({ ...resource, name }))
  }
  const groups = withMembership(wanted.name, wanted.groups.length > 0 ? wanted.groups : fixed)
  return { name: wanted.name, groups, uid: wanted.uid, extra: wanted.extra }
}

/** Asks about the name. @returns the groups that come with it. */
async function checkName(
  mode: Mode,
  wanted: Wanted,
  verb: string,
  group: string,
  check: (attributes: Attributes) => Promise<void>,
): Promise<readonly string[]> {
  const account = parseAccountUserName(wanted.name)
  if (account !== undefined) {
    await check(resourceAttributes({ verb, group, resource: 'serviceaccounts', ...account }))
    return accountGroups(account.namespace)
  }
  const node = mode === 'legacy' ? undefined : parseNodeUserName(wanted.name)
  if (node !== undefined) {
    const name = mode === 'associated-node' ? '*' : node
    await check(resourceAttributes({ verb, group, resource: 'nodes', name }))
    return ['system:nodes']
  }
  await check(resourceAttributes({ verb, group, resource: 'users', name: wanted.name }))
  return []
}

function withMembership(name: string, groups: readonly string[]): readonly string[] {
  if (name === ANONYMOUS)
    return groups.includes(UNAUTHENTICATED) ? groups : [...groups, UNAUTHENTICATED]
  if (groups.includes(AUTHENTICATED) || groups.includes(UNAUTHENTICATED)) return groups
  return [...groups, AUTHENTICATED]
}
