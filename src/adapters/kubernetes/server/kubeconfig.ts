import { stringify } from 'yaml'
import { writeSecretFile } from './tls.ts'

/** What a kubeconfig leads to. */
export interface KubeconfigSubject {
  /** Such as `https://127.0.0.1:6443`. */
  readonly server: string
  /** The certificate of the authority that signed the server's, PEM. */
  readonly caPem: string
  /** Bearer token. Secret. */
  readonly token: string
  /** Names the cluster, the user and the context. */
  readonly name: string
  /** Default: `default`. */
  readonly namespace?: string
}

/** The text of a kubeconfig. */
export function kubeconfigText({
  server,
  caPem,
  token,
  name,
  namespace = 'default',
}: KubeconfigSubject): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name,
        cluster: { server, 'certificate-authority-data': Buffer.from(caPem).toString('base64') },
      },
    ],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace } }],
    'current-context': name,
  })
}

/** Writes a kubeconfig with mode 0600, whole or not at all. */
export async function writeKubeconfig(path: string, subject: KubeconfigSubject): Promise<void> {
  await writeSecretFile(path, kubeconfigText(subject))
}
