import { join } from 'node:path'
import { systemClock } from 'tideway'
import {
  type AccountTokens,
  type AccountTokensOptions,
  createAccountTokens,
  createRbac,
  createTrustedKeys,
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
}

/**
 * Reads who may what from the documents of a program, and the key that it signs tokens with from its
 * directory, where it is made at the first start.
 */
export async function openProgramIdentity(
  directory: string,
  store: ObjectStore,
  rules: Pick<AccountTokensOptions, 'mayNodeSpeakFor' | 'outlives'>,
  teardown: Teardown,
): Promise<ProgramIdentity> {
  const key = await loadOrCreateSigningKey(join(directory, 'pki', 'service-accounts.key'))
  const keys = createTrustedKeys(store)
  teardown.add('keys of tokens', () => keys.close())
  const rbac = createRbac(store)
  teardown.add('roles', () => rbac.close())
  const accounts = createAccountTokens({ store, key, keys, clock: systemClock, ...rules })
  return { key, accounts, rbac }
}
