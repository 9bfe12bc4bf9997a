import { createPrivateKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import {
  type Authority,
  type Credential,
  issueServerCertificate,
  readIfThere,
  writeSecretFile,
} from './tls.ts'

/** A certificate with less time left is issued anew. */
const RENEW_MS = 30 * 86_400_000

/**
 * The server certificate kept in a directory (`<file>.crt`, and `<file>.key` with mode 0600). It is issued
 * anew when there is none, when it is not of this authority, does not cover every name, or soon ends: so
 * an ordinary start neither makes keys nor loads what makes them.
 *
 * @throws Error when the files cannot be read or written.
 */
export async function loadOrIssueServerCertificate(
  authority: Authority,
  directory: string,
  file: string,
  subject: { readonly names: readonly string[]; readonly ips: readonly string[] },
): Promise<Credential> {
  const certificatePath = join(directory, `${file}.crt`)
  const keyPath = join(directory, `${file}.key`)
  const [certificate, key] = await Promise.all([readIfThere(certificatePath), readIfThere(keyPath)])
  if (certificate !== undefined && key !== undefined) {
    const kept: Credential = { certificate, key }
    if (isUsable(kept, authority, subject)) return kept
  }
  const issued = await issueServerCertificate(authority, subject)
  await writeSecretFile(keyPath, issued.key)
  await writeSecretFile(certificatePath, issued.certificate)
  return issued
}

function isUsable(
  kept: Credential,
  authority: Authority,
  subject: { readonly names: readonly string[]; readonly ips: readonly string[] },
): boolean {
  try {
    const certificate = new X509Certificate(kept.certificate)
    return (
      certificate.verify(new X509Certificate(authority.certificate).publicKey) &&
      certificate.checkPrivateKey(createPrivateKey(kept.key)) &&
      Date.parse(certificate.validTo) - Date.now() > RENEW_MS &&
      subject.names.every((name) => certificate.checkHost(name) !== undefined) &&
      subject.ips.every((ip) => certificate.checkIP(ip) !== undefined)
    )
  } catch {
    // Damaged, or half of a pair that a crash left: a new one costs nothing.
    return false
  }
}
