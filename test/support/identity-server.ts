import { request } from 'node:https'
import { type Clock, consoleLogger, systemClock, systemRandom } from 'tideway'
import {
  type AccountTokens,
  bootstrapObjects,
  createAccountTokens,
  createRbac,
  createRoleAggregation,
  createSigningKey,
  createTrustedKeys,
  openSigningKey,
  publishClusterKey,
  type Rbac,
  reconcileBootstrap,
} from 'tideway/adapters/kubernetes/identity'
import type { JsonObject, KubeObject, OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import { type ApiServerOptions, createAuthenticator } from 'tideway/adapters/kubernetes/server'
import { textAt } from '../../src/adapters/kubernetes/objects/read.ts'
import { startTestApiServer, type TestApiServer } from './api-server.ts'

/** An API server that knows who its users are and what they may, as the one of a cloud does. */
export interface IdentityServer {
  readonly api: TestApiServer
  readonly store: OpenObjectStore
  readonly accounts: AccountTokens
  readonly rbac: Rbac
  /** What the audit log got. */
  readonly audited: JsonObject[]
  /** One request; without a token it is anonymous. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  close(): Promise<void>
}

/** What a request carries. */
export interface CallOptions {
  readonly token?: string
  readonly body?: unknown
  readonly type?: string
  readonly headers?: Readonly<Record<string, string | string[]>>
  /** A client certificate and its key, PEM. */
  readonly credential?: { readonly cert: string; readonly key: string }
}

/** What came back. */
export interface Answer {
  readonly code: number
  readonly body: JsonObject
  readonly message: string
}

/** Users that are there from the start: the token of each is `token-of-` and its name. */
export const TEST_USERS: Readonly<Record<string, readonly string[]>> = {
  root: ['system:masters'],
  ann: [],
  bob: ['builders'],
}

interface IdentityParts {
  readonly accounts: AccountTokens
  readonly rbac: Rbac
  close(): Promise<void>
}

/** Starts one. */
export async function startIdentityServer(
  clock: Clock = systemClock,
  options: { readonly controllers?: boolean; readonly reopened?: boolean } = {},
): Promise<IdentityServer> {
  const audited: JsonObject[] = []
  let parts: IdentityParts | undefined
  const given = async (store: OpenObjectStore): Promise<Partial<ApiServerOptions>> => {
    await reconcileBootstrap(store, bootstrapObjects(options.controllers === false))
    const key = openSigningKey(createSigningKey())
    await publishClusterKey(store, key.publicKey)
    const keys = createTrustedKeys(store)
    const rbac = createRbac(store)
    const logger = consoleLogger('warn')
    const roles = createRoleAggregation({ store, clock: systemClock, random: systemRandom, logger })
    const accounts = createAccountTokens({ store, key, keys, clock })
    parts = {
      accounts,
      rbac,
      close: async () => {
        await roles.close()
        rbac.close()
        keys.close()
      },
    }
    return {
      authenticate: createAuthenticator({
        tokens: Object.entries(TEST_USERS).map(([name, groups]) => ({
          token: `token-of-${name}`,
          user: { name, groups },
        })),
        accounts,
        certificates: ({ groups }) => !groups.includes('system:nodes'),
        anonymous: true,
      }),
      authorize: rbac.authorize,
      identity: { rbac, accounts },
      audit: (event) => {
        audited.push(event)
      },
      clock,
    }
  }
  const api = await startTestApiServer(given, options)
  const { accounts, rbac, close } = parts as unknown as IdentityParts
  return {
    api,
    store: api.store,
    accounts,
    rbac,
    audited,
    call: (method, path, options = {}) => call(api, method, path, options),
    close: async () => {
      await close()
      await api.close()
    },
  }
}

function call(
  api: TestApiServer,
  method: string,
  path: string,
  { token, body, type = 'application/json', headers = {}, credential = undefined }: CallOptions,
): Promise<Answer> {
  const text = body === undefined ? '' : JSON.stringify(body)
  const sent = {
    // Without it Node sends the body of a DELETE as what follows the request.
    'Content-Length': String(Buffer.byteLength(text)),
    ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    'Content-Type': type,
    ...headers,
  }
  return new Promise((resolve, reject) => {
    const options = { method, headers: sent, ca: api.caPem, agent: false, ...credential }
    const going = request(new URL(path, api.server.url), options, (response) => {
      let received = ''
      response.on('data', (piece: Buffer) => {
        received += piece.toString()
      })
      response.on('end', () => {
        const isJson = String(response.headers['content-type']).includes('json')
        const value = isJson ? (JSON.parse(received) as JsonObject) : {}
        const message = textAt(value, 'message') ?? (isJson ? '' : received)
        resolve({ code: response.statusCode ?? 0, body: value, message })
      })
    })
    going.on('error', reject)
    going.end(text)
  })
}

/** A service account as a test makes it. */
export function accountNamed(name: string, namespace = 'default'): KubeObject {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } }
}
