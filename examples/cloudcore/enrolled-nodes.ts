import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { nodePrincipal } from 'tideway'
import type { ObjectKey, ObjectStore } from 'tideway/adapters/kubernetes/objects'
import {
  type Authority,
  certificateFingerprint,
  certificateUser,
  clientCertificate,
  issueClientCertificate,
} from 'tideway/adapters/kubernetes/server'
import { isNodeName } from '../shared/settings.ts'

const NAMESPACE = 'kube-system'
const PREFIX = 'node-certificate-'
const TYPE = 'tideway.dev/node-certificate'
const CERTIFICATE_DAYS = 3_650
const COMMON_NAME = 'system:node:'
const ORGANIZATION = 'system:nodes'

/**
 * The nodes of the fleet: one certificate each, whose fingerprint is a secret in the API. Deleting that
 * secret throws the node out; joining again replaces it.
 */
export class EnrolledNodes {
  readonly #store: ObjectStore
  readonly #authority: Authority
  readonly #cancel: () => void

  /** @param onRevoked is told the principal whose certificate no longer counts. */
  constructor(store: ObjectStore, authority: Authority, onRevoked: (principal: string) => void) {
    this.#store = store
    this.#authority = authority
    this.#cancel = store.watch('secrets', { namespace: NAMESPACE }, (event) => {
      const { name } = event.object.metadata
      if (name.startsWith(PREFIX) && event.type !== 'ADDED')
        onRevoked(nodePrincipal(name.slice(PREFIX.length)))
    })
  }

  /**
   * Issues the certificate of a node and writes it down; an earlier one no longer counts.
   *
   * @throws Error when the request is malformed or its signature does not hold.
   */
  async enrol(node: string, request: string): Promise<string> {
    const certificate = await issueClientCertificate(this.#authority, request, {
      commonName: `${COMMON_NAME}${node}`,
      organizations: [ORGANIZATION],
      days: CERTIFICATE_DAYS,
    })
    const fingerprint = Buffer.from(certificateFingerprint(certificate)).toString('base64')
    const key = keyOf(node)
    if (this.#store.get(key) === undefined) {
      await this.#store.create(
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: key.name, namespace: NAMESPACE },
          type: TYPE,
          data: { fingerprint },
        },
        { author: 'cloudcore' },
      )
    } else {
      await this.#store.update(key, (current) => ({ ...current, data: { fingerprint } }), {
        part: 'desired',
        author: 'cloudcore',
      })
    }
    return certificate
  }

  /** The principal of a request by the client certificate of its connection; undefined for none that counts. */
  principal(request: IncomingMessage): string | undefined {
    const user = certificateUser(request)
    const raw = clientCertificate(request)?.raw
    if (user === undefined || raw === undefined) return undefined
    const [group, another] = user.groups
    if (!user.name.startsWith(COMMON_NAME) || group !== ORGANIZATION || another !== undefined)
      return undefined
    const node = user.name.slice(COMMON_NAME.length)
    return isNodeName(node) && this.#counts(node, fingerprintOf(raw))
      ? nodePrincipal(node)
      : undefined
  }

  close(): void {
    this.#cancel()
  }

  #counts(node: string, fingerprint: string): boolean {
    const object = this.#store.get(keyOf(node))
    const { fingerprint: known } = (object?.['data'] ?? {}) as { readonly fingerprint?: unknown }
    return object?.['type'] === TYPE && known === Buffer.from(fingerprint).toString('base64')
  }
}

function fingerprintOf(certificate: Uint8Array): string {
  return createHash('sha256').update(certificate).digest('hex')
}

function keyOf(node: string): ObjectKey {
  return { resource: 'secrets', namespace: NAMESPACE, name: `${PREFIX}${node}` }
}
