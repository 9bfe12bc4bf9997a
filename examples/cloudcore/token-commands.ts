import type { Command } from 'commander'
import type { KubeObject } from 'tideway/adapters/kubernetes/objects'
import { ApiClient, readAccess } from '../shared/api-client.ts'
import { addSettings, type Flags } from '../shared/command-line.ts'
import { encodeJoinToken, newTokenId, newTokenSecret } from '../shared/join-token.ts'
import { EXIT, ProgramError } from '../shared/program-error.ts'
import { resolveSettings } from '../shared/resolve-settings.ts'
import {
  durationSetting,
  labelSetting,
  listSetting,
  parseAddress,
  type Schema,
} from '../shared/settings.ts'
import { readEndpoints } from './cloud-endpoints.ts'
import { CLOUD_ENV, cloudDirectory, cloudSettings } from './cloud-settings.ts'
import {
  hashOfSecret,
  TOKEN_TYPE,
  type TokenRecord,
  tokenObject,
  tokenRecord,
} from './join-tokens.ts'

const SECRETS = '/api/v1/namespaces/kube-system/secrets'

const creation = {
  data: cloudDirectory,
  node: labelSetting('the name of the node that the token lets in', 'none; it is needed'),
  ttl: durationSetting('how long the token can be used', '24h'),
  server: listSetting(
    'where the node is to dial the cloud, if not where cloudcore says',
    { placeholder: 'HOST:PORT', allowed: 'a host and a port', parse: parseAddress },
    'what --advertise of the running cloudcore says',
  ),
} satisfies Schema

/** Adds `cloudcore token create`, `list` and `delete`. */
export function addTokenCommands(program: Command): void {
  const token = program
    .command('token')
    .description('make, list and delete the tokens that let nodes in; cloudcore has to run')
    .helpCommand(false)
  const create = token
    .command('create')
    .description('make a token for one node and print it, alone, on standard output')
  addSettings(create, creation, CLOUD_ENV).action(async (flags: Flags) => {
    process.stdout.write(`${await createToken(flags)}\n`)
  })
  const list = token.command('list').description('show the tokens, without their secrets')
  addSettings(list, { data: cloudDirectory }, CLOUD_ENV).action(async (flags: Flags) => {
    process.stdout.write(await listTokens(flags))
  })
  const remove = token
    .command('delete')
    .description('make a token useless')
    .argument('<ID>', 'as "token list" shows it')
  addSettings(remove, { data: cloudDirectory }, CLOUD_ENV).action(
    async (id: string, flags: Flags) => {
      const api = await connect(await directoryOf(flags))
      await api.expect('DELETE', `${SECRETS}/bootstrap-token-${encodeURIComponent(id)}`)
    },
  )
}

async function createToken(flags: Flags): Promise<string> {
  const settings = await resolveSettings(
    { ...cloudSettings, ...creation },
    { flags, env: process.env, envPrefix: CLOUD_ENV, file: fileOf(flags) },
  )
  const { node } = settings
  if (node === undefined) {
    throw new ProgramError(
      'SETTING_INVALID',
      EXIT.usage,
      `--node: it is missing; allowed: ${creation.node.allowed}`,
    )
  }
  const { addresses, fingerprint } = await readEndpoints(settings.data)
  const api = await connect(settings.data)
  const [id, secret] = [newTokenId(), newTokenSecret()]
  const expiration = new Date(Date.now() + settings.ttl).toISOString()
  const record: TokenRecord = {
    id,
    node,
    hash: hashOfSecret(secret),
    expiration,
    usedAt: undefined,
    attempts: 0,
  }
  await api.expect('POST', SECRETS, tokenObject(record))
  return encodeJoinToken({
    addresses: settings.server.length > 0 ? settings.server : addresses,
    fingerprint,
    node,
    id,
    secret,
  })
}

async function listTokens(flags: Flags): Promise<string> {
  const api = await connect(await directoryOf(flags))
  const query = `?fieldSelector=${encodeURIComponent(`type=${TOKEN_TYPE}`)}`
  const { items } = await api.expect('GET', `${SECRETS}${query}`)
  const records = (Array.isArray(items) ? items : [])
    .map((item: KubeObject) => tokenRecord(item))
    .filter((record) => record !== undefined)
  const rows = records.map((record) => [record.id, record.node, stateOf(record), record.expiration])
  const table = [['ID', 'NODE', 'STATE', 'EXPIRES'], ...rows]
  const widths = [0, 1, 2].map((column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  )
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return `${table.map(line).join('\n')}\n`
}

function stateOf({ usedAt, expiration }: TokenRecord): string {
  if (usedAt !== undefined) return 'used'
  return Date.parse(expiration) <= Date.now() ? 'expired' : 'unused'
}

async function directoryOf(flags: Flags): Promise<string> {
  const sources = { flags, env: process.env, envPrefix: CLOUD_ENV, file: fileOf(flags) }
  return (await resolveSettings(cloudSettings, sources)).data
}

async function connect(directory: string): Promise<ApiClient> {
  return new ApiClient(await readAccess(directory, 'cloudcore'), 'cloudcore', directory)
}

function fileOf(flags: Flags): string | undefined {
  const { config } = flags
  return typeof config === 'string' ? config : undefined
}
