/** Who asks and what they may: roles and tokens of service accounts, from documents. */
export {
  type AccountTokens,
  type AccountTokensOptions,
  accountOf,
  createAccountTokens,
  DEFAULT_ISSUER,
  type TokenContent,
  type TokenProof,
} from './account-tokens.ts'
export { createRoleAggregation, type RoleAggregationOptions } from './aggregation.ts'
export { anyAuthorizer } from './any-authorizer.ts'
export { type Attributes, resourceAttributes, type Verdict } from './attributes.ts'
export { bootstrapObjects, reconcileBootstrap } from './bootstrap.ts'
export {
  createSigningKey,
  openSigningKey,
  type PublicKey,
  type SigningKey,
} from './jwt.ts'
export {
  createNamespaceContent,
  type NamespaceContentOptions,
} from './namespace-content.ts'
export {
  createNodeAuthorizer,
  type NodeAuthorizer,
  type NodeAuthorizerOptions,
} from './node-authorizer.ts'
export {
  type PodTokenIssuerOptions,
  type PodTokenRequest,
  podTokenIssuer,
} from './pod-token.ts'
export { createRbac, type Rbac, type UserRules } from './rbac.ts'
export type { RoleReference } from './rbac-index.ts'
export type { Rule } from './rule.ts'
export {
  CLUSTER_KEYS_ANNOTATION,
  CLUSTER_KEYS_MAX,
  createTrustedKeys,
  keepNodeKey,
  NODE_KEY_ANNOTATION,
  publishClusterKey,
  type TrustedKey,
  type TrustedKeys,
} from './trusted-keys.ts'
export { type AccountName, anonymousUser, authenticated, type User } from './user.ts'
