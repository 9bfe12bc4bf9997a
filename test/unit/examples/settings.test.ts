import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProgramError } from '../../../examples/shared/program-error.ts'
import { resolveSettings } from '../../../examples/shared/resolve-settings.ts'
import {
  addressSetting,
  choiceSetting,
  durationSetting,
  labelSetting,
  listSetting,
  parseAddress,
  parseDuration,
  switchSetting,
} from '../../../examples/shared/settings.ts'

const schema = {
  apiAddress: addressSetting('where', '127.0.0.1:6443'),
  scheduler: switchSetting('whether', true),
  logLevel: choiceSetting('how much', ['debug', 'info'], () => 'info', 'info'),
  ttl: durationSetting('how long', '24h'),
  node: labelSetting('who', 'none'),
  server: listSetting(
    'where to',
    { placeholder: 'HOST:PORT', allowed: 'a host and a port', parse: parseAddress },
    'none',
  ),
}

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tideway-settings-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

async function fileWith(text: string): Promise<string> {
  const path = join(directory, 'settings.yaml')
  await writeFile(path, text)
  return path
}

interface Given {
  readonly flags?: Readonly<Record<string, string | boolean>>
  readonly env?: Readonly<Record<string, string>>
  readonly file?: string
}

function resolve({ flags = {}, env = {}, file }: Given = {}) {
  return resolveSettings(schema, { flags, env, envPrefix: 'TIDEWAY_TEST_', file })
}

async function refusalOf(given: Given): Promise<ProgramError> {
  const error = await resolve(given).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof ProgramError)) throw new Error(`not refused: ${String(error)}`)
  expect(error.exitCode).toBe(2)
  return error
}

describe('precedence', () => {
  test('without anything, the defaults hold', async () => {
    expect(await resolve()).toEqual({
      apiAddress: { host: '127.0.0.1', port: 6443 },
      scheduler: true,
      logLevel: 'info',
      ttl: 86_400_000,
      node: undefined,
      server: [],
    })
  })

  test('a flag counts more than a variable, that more than the file, that more than the default', async () => {
    const file = await fileWith('api-address: "f:1"\nlog-level: debug\nttl: 3s\nscheduler: false\n')
    const env = { TIDEWAY_TEST_API_ADDRESS: 'e:2', TIDEWAY_TEST_TTL: '2s' }
    const values = await resolve({ flags: { apiAddress: 'g:3' }, env, file })
    expect(values.apiAddress).toEqual({ host: 'g', port: 3 })
    expect(values.ttl).toBe(2_000)
    expect(values.logLevel).toBe('debug')
    expect(values.scheduler).toBe(false)
  })

  test('the file may be named by a variable, and an empty variable counts as none', async () => {
    const file = await fileWith('server: [a:1, "b:2"]\n')
    const values = await resolve({ env: { TIDEWAY_TEST_CONFIG: file, TIDEWAY_TEST_NODE: '' } })
    expect(values.server).toEqual([
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
    ])
    expect(values.node).toBeUndefined()
  })

  test('a switch may go without a value', async () => {
    expect((await resolve({ flags: { scheduler: true } })).scheduler).toBe(true)
    expect((await resolve({ flags: { scheduler: 'false' } })).scheduler).toBe(false)
  })
})

describe('errors name the field, what was wrong and what is allowed', () => {
  test('a bad flag', async () => {
    const error = await refusalOf({ flags: { apiAddress: 'here' } })
    expect(error.code).toBe('SETTING_INVALID')
    expect(error.message).toContain(
      '--api-address: "here" is not allowed; allowed: a host and a port',
    )
  })

  test('a bad variable', async () => {
    const error = await refusalOf({ env: { TIDEWAY_TEST_LOG_LEVEL: 'loud' } })
    expect(error.message).toBe(
      'TIDEWAY_TEST_LOG_LEVEL: "loud" is not allowed; allowed: one of debug, info',
    )
  })

  test('a variable that is misspelt', async () => {
    const error = await refusalOf({ env: { TIDEWAY_TEST_LOGLEVEL: 'info' } })
    expect(error.code).toBe('SETTING_UNKNOWN')
    expect(error.message).toContain('TIDEWAY_TEST_LOG_LEVEL')
  })

  test.each([
    ['an unknown key', 'apiAddress: a:1\n', 'SETTING_UNKNOWN', 'apiAddress in'],
    [
      'a value of the wrong type',
      'ttl: {h: 1}\n',
      'SETTING_INVALID',
      'the value is of the wrong type',
    ],
    [
      'a value that is not allowed',
      'ttl: forever\n',
      'SETTING_INVALID',
      '"forever" is not allowed',
    ],
    ['a key twice', 'ttl: 1s\nttl: 2s\n', 'SETTING_INVALID', ':2'],
    ['no YAML', 'ttl: [1s\n', 'SETTING_INVALID', 'allowed: a YAML map'],
    ['a list instead of a map', '- ttl\n', 'SETTING_INVALID', 'does not hold a map'],
  ])('in the file: %s', async (_what, text, code, words) => {
    const error = await refusalOf({ file: await fileWith(text) })
    expect(error.code).toBe(code)
    expect(error.message).toContain(words)
  })

  test('a file that is not there', async () => {
    const error = await refusalOf({ file: join(directory, 'nowhere.yaml') })
    expect(error.message).toContain('cannot be read (ENOENT)')
  })
})

test.each([
  ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ['[::1]:65535', { host: '::1', port: 65_535 }],
  ['cloud.example:10000', { host: 'cloud.example', port: 10_000 }],
  ['::1:80', undefined],
  ['host', undefined],
  ['host:65536', undefined],
  [':80', undefined],
])('the address %s', (text, address) => {
  expect(parseAddress(text)).toEqual(address)
})

test.each([
  ['500ms', 500],
  ['7d', 604_800_000],
  ['0s', undefined],
  ['-1s', undefined],
  ['10', undefined],
  ['4000d', undefined],
])('the duration %s', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})
