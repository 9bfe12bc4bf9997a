import { readFile } from 'node:fs/promises'
import type { ContainerSecurity } from '../index.ts'

/** What the machine knows of a user. */
export interface Account {
  readonly gid: number
  readonly home: string
}

/** A user that the machine does not know: what container engines take then. */
const UNKNOWN: Account = { gid: 0, home: '/' }
const PASSWD = '/etc/passwd'

/** The line of one user in the format of passwd(5); `gid` 0 and home `/` when there is none. */
export function accountIn(passwd: string, uid: number): Account {
  for (const line of passwd.split('\n')) {
    const [, , id, gid, , home] = line.split(':')
    if (id !== String(uid) || gid === undefined || !/^\d+$/.test(gid)) continue
    return { gid: Number(gid), home: home === undefined || home === '' ? UNKNOWN.home : home }
  }
  return UNKNOWN
}

/**
 * A security context with the group of its user filled in, and the home of that user. Without a user
 * both are as this process has them.
 */
export async function withAccount(
  security: ContainerSecurity | undefined,
): Promise<{ readonly security: ContainerSecurity | undefined; readonly home?: string }> {
  if (security?.uid === undefined) return { security }
  const passwd = await readFile(PASSWD, 'utf8').catch(() => '')
  const { gid, home } = accountIn(passwd, security.uid)
  return { security: { ...security, gid: security.gid ?? gid }, home }
}
