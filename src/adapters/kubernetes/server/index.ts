export type { Attributes } from '../identity/attributes.ts'
export {
  type AddressRepair,
  type AddressRepairOptions,
  createAddressRepair,
} from './address-repair.ts'
export { type AdmittedStoreOptions, admittedStore } from './admission/admitted-store.ts'
export {
  type ApiServer,
  type ApiServerOptions,
  CLOSE_GRACE_MS,
  createApiServer,
  type Decision,
  type ServerIdentity,
} from './api-server.ts'
export type { AuditSink } from './audit.ts'
export {
  type AuthenticatorOptions,
  certificateUser,
  clientCertificate,
  createAuthenticator,
} from './authenticate.ts'
export { CONNECTION_LIMITS, type ConnectionLimits } from './connections.ts'
export type { Admit, User, WriteGuard } from './context.ts'
export { loadOrIssueServerCertificate } from './kept-certificate.ts'
export { readPodManifest } from './kinds/pod-manifest.ts'
export { type KubeconfigSubject, kubeconfigText, writeKubeconfig } from './kubeconfig.ts'
export { parseUsagePart, usageParts } from './metrics/usage-parts.ts'
export {
  createUsageTable,
  type PodUsage,
  type UsagePart,
  type UsageTable,
  type UsageTableOptions,
} from './metrics/usage-table.ts'
export {
  type Authority,
  type ClientSubject,
  type Credential,
  certificateFingerprint,
  createAuthority,
  createSigningRequest,
  issueClientCertificate,
  issueServerCertificate,
  loadOrCreateAuthority,
  type SigningRequest,
  writeSecretFile,
} from './tls.ts'
export { bearerToken, loadOrCreateSigningKey, loadOrCreateToken, sameToken } from './token.ts'
