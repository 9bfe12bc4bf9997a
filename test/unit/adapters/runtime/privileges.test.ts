import { describe, expect, test } from 'vitest'
import type { ContainerSecurity } from '../../../../src/adapters/runtime/index.ts'
import { accountIn } from '../../../../src/adapters/runtime/process/account.ts'
import {
  capabilitiesIn,
  ownerOf,
  type Privileges,
  privilegeWords,
  securityFields,
  supportedOnly,
} from '../../../../src/adapters/runtime/process/privileges.ts'

const FULL: Privileges = {
  program: '/usr/bin/setpriv',
  identities: true,
  capabilities: new Set(['CHOWN', 'KILL', 'NET_BIND_SERVICE', 'SYS_ADMIN']),
}
const LEAST: Privileges = { ...FULL, identities: false }
const DEFAULT = '-all,+chown,+kill,+net_bind_service'

const CASES: readonly (readonly [ContainerSecurity, string])[] = [
  [{}, ''],
  [{ privileged: true }, ''],
  [{ privileged: true, dropCapabilities: ['ALL'] }, ''],
  [{ readOnlyRoot: true }, `--bounding-set ${DEFAULT}`],
  [{ noNewPrivileges: true }, `--bounding-set ${DEFAULT} --no-new-privs`],
  [{ noNewPrivileges: false }, ''],
  [{ uid: 7, gid: 8 }, `--reuid 7 --regid 8 --clear-groups --bounding-set ${DEFAULT}`],
  [{ uid: 7, gid: 8, privileged: true }, '--reuid 7 --regid 8 --clear-groups'],
  [{ groups: [1, 2] }, `--groups 1,2 --bounding-set ${DEFAULT}`],
  [{ groups: [] }, `--clear-groups --bounding-set ${DEFAULT}`],
  [{ dropCapabilities: ['KILL'] }, '--bounding-set -all,+chown,+net_bind_service'],
  [{ dropCapabilities: ['ALL'] }, '--bounding-set -all'],
  [{ dropCapabilities: ['all'], addCapabilities: ['kill'] }, '--bounding-set -all,+kill'],
  [{ addCapabilities: ['SYS_ADMIN'] }, `--bounding-set ${DEFAULT},+sys_admin`],
  [{ addCapabilities: ['ALL'] }, `--bounding-set ${DEFAULT},+sys_admin`],
  [{ addCapabilities: ['ALL'], dropCapabilities: ['ALL'] }, '--bounding-set -all'],
  [
    { addCapabilities: ['KILL'], dropCapabilities: ['KILL'] },
    '--bounding-set -all,+chown,+net_bind_service',
  ],
  [{ addCapabilities: ['NO_SUCH'] }, `--bounding-set ${DEFAULT}`],
]

describe('words before a command', () => {
  test.each(CASES)('%j', (security, expected) => {
    const words = expected === '' ? [] : [FULL.program, ...expected.split(' '), '--']
    expect(privilegeWords(FULL, security)).toEqual(words)
  })

  test('without the right to be somebody else only new rights are forbidden', () => {
    const security = { uid: 7, noNewPrivileges: true, dropCapabilities: ['ALL'] }
    const words = [LEAST.program, '--no-new-privs', '--']
    expect(privilegeWords(LEAST, security)).toEqual(words)
    expect(privilegeWords(LEAST, { uid: 7 })).toEqual([])
    expect(privilegeWords(undefined, security)).toEqual([])
  })
})

test('what is supported follows from the means, and the rest is left out', () => {
  expect([...securityFields(undefined, false)]).toEqual([])
  expect([...securityFields(LEAST, true)]).toEqual(['noNewPrivileges', 'readOnlyRoot'])
  const fields = securityFields(LEAST, false)
  expect(supportedOnly({ uid: 7, noNewPrivileges: true }, fields)).toEqual({
    noNewPrivileges: true,
  })
  expect(supportedOnly({ uid: 7 }, fields)).toBeUndefined()
  expect(supportedOnly(undefined, fields)).toBeUndefined()
})

test('capabilities are read from what setpriv says', () => {
  const dump = 'uid: 0\nCapability bounding set: chown,net_raw\nSecurebits: [none]\n'
  expect(capabilitiesIn(dump)).toEqual(['CHOWN', 'NET_RAW'])
  expect(capabilitiesIn('Capability bounding set: [none]\n')).toEqual([])
  expect(capabilitiesIn('')).toEqual([])
})

test('group and home of a user are those of the machine, or those of nobody', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/sh\n\nbroken:x:5\napp:x:5:6::/srv/app:/bin/sh\n'
  expect(accountIn(passwd, 5)).toEqual({ gid: 6, home: '/srv/app' })
  expect(accountIn(passwd, 55)).toEqual({ gid: 0, home: '/' })
  expect(ownerOf({ uid: 5, gid: 6 })).toEqual({ uid: 5, gid: 6 })
  expect(ownerOf({ gid: 6 })).toBeUndefined()
})
