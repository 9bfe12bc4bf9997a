import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import type { ContainerSecurity, SecurityField } from '../index.ts'
import { isScarce } from './scarcity.ts'

const SETPRIV_PATHS = ['/usr/bin/setpriv', '/bin/setpriv']
const PROBE_MS_MAX = 10_000
const NOBODY = '65534'

/** What container engines let a container do that is not privileged. */
const CAPABILITIES_DEFAULT = [
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
] as const

const IDENTITY_FIELDS: readonly SecurityField[] = [
  'uid',
  'gid',
  'groups',
  'privileged',
  'addCapabilities',
  'dropCapabilities',
]

/** How a command is run as somebody else and with fewer rights. */
export interface Privileges {
  /** Where `setpriv` of util-linux is. */
  readonly program: string
  /** Users, groups and capabilities can be set. Otherwise only `noNewPrivileges` can. */
  readonly identities: boolean
  /** The capabilities that can be given, without `CAP_`. */
  readonly capabilities: ReadonlySet<string>
}

/** Whom files are given to. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Finds out what can be set here, by setting it. Undefined when nothing can. */
export async function findPrivileges(): Promise<Privileges | undefined> {
  const program = SETPRIV_PATHS.find((path) => existsSync(path))
  if (process.platform !== 'linux' || program === undefined) return undefined
  const identity = ['--reuid', NOBODY, '--regid', NOBODY, '--groups', NOBODY]
  const bounds = ['--bounding-set', '-all']
  const dump = await output(program, ['--dump'])
  const capabilities = new Set(capabilitiesIn(dump ?? ''))
  const all = [...identity, ...bounds, '--no-new-privs', '--', '/bin/sh', '-c', ':']
  if ((await output(program, all)) !== undefined) return { program, identities: true, capabilities }
  const least = await output(program, ['--no-new-privs', '--', '/bin/sh', '-c', ':'])
  return least === undefined ? undefined : { program, identities: false, capabilities }
}

/** The capabilities that `setpriv --dump` says a process can be given. */
export function capabilitiesIn(dump: string): readonly string[] {
  const line = /^Capability bounding set: (.*)$/m.exec(dump)?.[1] ?? ''
  return line
    .split(',')
    .filter((name) => /^[a-z0-9_]+$/.test(name))
    .map((name) => name.toUpperCase())
}

/** A security context without what is not supported; undefined when that leaves nothing. */
export function supportedOnly(
  security: ContainerSecurity | undefined,
  fields: ReadonlySet<SecurityField>,
): ContainerSecurity | undefined {
  const all: Partial<Record<string, unknown>> = { ...security }
  const kept = [...fields].filter((field) => all[field] !== undefined)
  if (kept.length === 0) return undefined
  return Object.fromEntries(kept.map((field) => [field, all[field]]))
}

/** What of a security context is applied with these means. */
export function securityFields(
  privileges: Privileges | undefined,
  readOnlyRoot: boolean,
): ReadonlySet<SecurityField> {
  return new Set<SecurityField>([
    ...(privileges?.identities === true ? IDENTITY_FIELDS : []),
    ...(privileges === undefined ? [] : (['noNewPrivileges'] as const)),
    ...(readOnlyRoot ? (['readOnlyRoot'] as const) : []),
  ])
}

/**
 * The words in front of a command that give it what a security context asks for; none when it asks
 * for nothing that is supported.
 *
 * Who asks for something gets the capabilities that container engines give, plus and minus its own
 * wishes; who asks for nothing, or is privileged, has those of this process, as ever.
 */
export function privilegeWords(
  privileges: Privileges | undefined,
  security: ContainerSecurity | undefined,
): readonly string[] {
  if (privileges === undefined || security === undefined) return []
  const words: string[] = []
  if (privileges.identities) words.push(...identityWords(security), ...bounds(privileges, security))
  if (security.noNewPrivileges === true) words.push('--no-new-privs')
  return words.length === 0 ? [] : [privileges.program, ...words, '--']
}

/** Whom the files of a container go to that its processes open by name. */
export function ownerOf(security: ContainerSecurity | undefined): Owner | undefined {
  if (security?.uid === undefined) return undefined
  return { uid: security.uid, gid: security.gid ?? 0 }
}

function identityWords({ uid, gid, groups }: ContainerSecurity): readonly string[] {
  if (uid === undefined && gid === undefined && groups === undefined) return []
  const others = groups === undefined || groups.length === 0 ? undefined : groups.join(',')
  return [
    ...(uid === undefined ? [] : ['--reuid', String(uid)]),
    ...(gid === undefined ? [] : ['--regid', String(gid)]),
    ...(others === undefined ? ['--clear-groups'] : ['--groups', others]),
  ]
}

function bounds(privileges: Privileges, security: ContainerSecurity): readonly string[] {
  const { addCapabilities = [], dropCapabilities = [], ...others } = security
  const asks = [others.uid, others.gid, others.groups, others.readOnlyRoot, others.noNewPrivileges]
  const isAsked = asks.some((each) => each !== undefined && each !== false)
  const isBound = isAsked || addCapabilities.length > 0 || dropCapabilities.length > 0
  if (security.privileged === true || !isBound) return []
  const kept = capabilitiesOf(privileges.capabilities, addCapabilities, dropCapabilities)
  const names = kept.map((name) => `+${name.toLowerCase()}`)
  return ['--bounding-set', ['-all', ...names].join(',')]
}

/** What is left of the default after wishes, as container engines read them: the unknown is left out. */
function capabilitiesOf(
  own: ReadonlySet<string>,
  add: readonly string[],
  drop: readonly string[],
): readonly string[] {
  const isAll = (names: readonly string[]): boolean => names.some((name) => is(name, 'ALL'))
  const dropped = new Set(drop.map((name) => name.toUpperCase()))
  const added = new Set(add.map((name) => name.toUpperCase()))
  const start = isAll(drop) ? [] : isAll(add) ? [...own] : CAPABILITIES_DEFAULT
  return [...new Set([...start, ...added])]
    .filter((name) => own.has(name) && !dropped.has(name))
    .sort()
}

function is(name: string, wanted: string): boolean {
  return name.toUpperCase() === wanted
}

async function output(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const env = { ...process.env, LC_ALL: 'C' }
    return (await promisify(execFile)(program, [...args], { timeout: PROBE_MS_MAX, env })).stdout
  } catch (error) {
    if (isScarce(error)) throw error
    return undefined
  }
}
