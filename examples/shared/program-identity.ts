import { join } from 'node:path'
import { systemClock } from 'tideway'
import {
  type AccountTokens,
  type AccountTokensOptions,
  anyAuthorizer,
  createAccountTokens,
  createNodeAuthorizer,
  createRbac,
  createTrustedKeys,
  type NodeAuthorizerOptions,
  type Rbac,
  type SigningKey,
} from 'tideway/adapters/kubernetes/identity'
import type { ObjectStore } from 'tideway/adapters/kubernetes/objects'
import { loadOrCreateSigningKey } from 'tideway/adapters/kubernetes/server'
import type { Teardown } from './lifetime.ts'

/** What a program knows of who asks and what they may. */
export interface ProgramIdentity {
  /** Signs tokens of service accounts. It never leaves this machine. */
  readonly key: SigningKey
  readonly accounts: AccountTokens
  readonly rbac: Rbac
  /** Says who may what: nodes by their pods, all by roles. */
  readonly authorize: ReturnType<typeof anyAuthorizer>
}

/**
 * Reads who may what from the documents of a program, and the key that it signs tokens with from its
 * directory, where it is made at the first start.
 */
export async function openProgramIdentity(
  directory: string,
  store: ObjectStore,
  rules: Pick<AccountTokensOptions, 'mayNodeSpeakFor' | 'outlives'> &
    Pick<NodeAuthorizerOptions, 'mayReadSecret'>,
  teardown: Teardown,
): Promise<ProgramIdentity> {
  const key = await loadOrCreateSigningKey(join(directory, 'pki', 'service-accounts.key'))
  const keys = createTrustedKeys(store)
  teardown.add('keys of tokens', () => keys.close())
  const rbac = createRbac(store)
  teardown.add('roles', () => rbac.close())
  const { mayReadSecret, ...tokens } = rules
  const accounts = createAccountTokens({ store, key, keys, clock: systemClock, ...tokens })
  const maySpeakFor = rules.mayNodeSpeakFor
  const nodes = createNodeAuthorizer({ store, mayReadSecret, maySpeakFor })
  teardown.add('what nodes may', () => nodes.close())
  const authorize = anyAuthorizer(nodes.authorize, rbac.authorize)
  return { key, accounts, rbac, authorize }
}
