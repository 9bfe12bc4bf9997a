import { createHash, randomBytes, webcrypto } from 'node:crypto'
import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type * as X509 from '@peculiar/x509'

/** A certificate authority: its certificate and its key, PEM. */
export interface Authority {
  readonly certificate: string
  /** PKCS #8. Secret. */
  readonly key: string
}

/** A certificate and its key, PEM. */
export interface Credential {
  readonly certificate: string
  /** PKCS #8. Secret. */
  readonly key: string
}

/** A request for a certificate and the key that it proves, PEM. */
export interface SigningRequest {
  readonly request: string
  /** PKCS #8. Secret: stays with the one who asks. */
  readonly key: string
}

/**
 * Who a client certificate is for: Kubernetes reads the user from its CN and the groups from its O.
 */
export interface ClientSubject {
  readonly commonName: string
  readonly organizations: readonly string[]
  readonly days: number
}

const ALGORITHM: EcKeyGenParams & EcdsaParams = {
  name: 'ECDSA',
  namedCurve: 'P-256',
  hash: 'SHA-256',
}
const DAY_MS = 86_400_000
const AUTHORITY_DAYS = 3_650
/**
 * Certificates are valid from this long ago on, so that a clock that is behind accepts them: machines
 * without a battery begin with the time of their last stop, and have to be reached to be put right.
 */
const BACKDATE_DAYS = 365
/** Some systems refuse a server whose certificate counts longer than 825 days in all. */
const SERVER_DAYS: number = 825 - BACKDATE_DAYS

type Library = typeof X509

/** Loaded when first used: who brings certificates of their own needs no library to make them. */
async function library(): Promise<Library> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  x509.cryptoProvider.set(webcrypto as unknown as Crypto)
  return x509
}

/** A new certificate authority: ECDSA P-256, valid for ten years, may sign leaves only. */
export async function createAuthority(name = 'tideway'): Promise<Authority> {
  const x509 = await library()
  const keys = await generateKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: nameOf([['CN', name]]),
    ...validity(AUTHORITY_DAYS),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate: certificate.toString('pem'), key: await exportKey(keys.privateKey) }
}

/** A certificate for a server that is reached at these names and addresses. */
export async function issueServerCertificate(
  authority: Authority,
  subject: {
    readonly names: readonly string[]
    readonly ips: readonly string[]
    readonly days?: number
  },
): Promise<Credential> {
  const x509 = await library()
  const keys = await generateKeys()
  const alternatives = [
    ...subject.names.map((value) => ({ type: 'dns' as const, value })),
    ...subject.ips.map((value) => ({ type: 'ip' as const, value })),
  ]
  const certificate = await sign(x509, authority, {
    subject: nameOf([['CN', subject.names[0] ?? subject.ips[0] ?? 'server']]),
    publicKey: keys.publicKey,
    days: subject.days ?? SERVER_DAYS,
    usage: x509.ExtendedKeyUsage.serverAuth,
    extensions: [new x509.SubjectAlternativeNameExtension(alternatives)],
  })
  return { certificate, key: await exportKey(keys.privateKey) }
}

/**
 * A client certificate, PEM, for a public key or for the key of a signing request, both PEM. What a
 * request says of its subject is not looked at: the authority decides who it is.
 *
 * @throws Error when it is malformed, or the signature of the request does not hold.
 */
export async function issueClientCertificate(
  authority: Authority,
  requestOrKey: string,
  subject: ClientSubject,
): Promise<string> {
  const x509 = await library()
  return await sign(x509, authority, {
    subject: nameOf([
      ...subject.organizations.map((name): [string, string] => ['O', name]),
      ['CN', subject.commonName],
    ]),
    publicKey: await provenKey(x509, requestOrKey),
    days: subject.days,
    usage: x509.ExtendedKeyUsage.clientAuth,
    extensions: [],
  })
}

async function provenKey(x509: Library, pem: string): Promise<X509.PublicKey> {
  if (pem.includes('BEGIN PUBLIC KEY')) return new x509.PublicKey(pem)
  const request = new x509.Pkcs10CertificateRequest(pem)
  if (!(await request.verify()))
    throw new Error('the signature of the certificate request does not hold')
  return request.publicKey
}

/** A new key, and a request for a certificate for it. */
export async function createSigningRequest(commonName = 'tideway'): Promise<SigningRequest> {
  const x509 = await library()
  const keys = await generateKeys()
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: nameOf([['CN', commonName]]),
    keys,
    signingAlgorithm: ALGORITHM,
  })
  return { request: request.toString('pem'), key: await exportKey(keys.privateKey) }
}

/** The SHA-256 of a certificate (PEM), 64 hex digits: what a join token pins. */
export function certificateFingerprint(certificate: string): string {
  const base64 = /-----BEGIN CERTIFICATE-----([^-]+)-----END/.exec(certificate)?.[1]
  if (base64 === undefined) throw new Error('not a certificate in PEM form')
  return createHash('sha256').update(Buffer.from(base64, 'base64')).digest('hex')
}

/**
 * The authority kept in a directory (`ca.crt`, `ca.key` with mode 0600), made there when there is
 * none.
 *
 * @throws Error when only one of the two files is there, or they cannot be read or written.
 */
export async function loadOrCreateAuthority(directory: string): Promise<Authority> {
  const certificatePath = join(directory, 'ca.crt')
  const keyPath = join(directory, 'ca.key')
  const [certificate, key] = await Promise.all([readIfThere(certificatePath), readIfThere(keyPath)])
  if (certificate !== undefined && key !== undefined) return { certificate, key }
  if (certificate !== undefined)
    throw new Error(`${keyPath} is missing beside ca.crt: restore it, or remove both`)
  // A key alone is what a crash between the two writes leaves: nothing has been signed with it yet.
  const authority = await createAuthority()
  await writeSecretFile(keyPath, authority.key)
  await writeSecretFile(certificatePath, authority.certificate)
  return authority
}

/** Writes a file with mode 0600, whole or not at all, durably. Makes its directory. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  }
}

/** The text of a file, undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

async function sign(
  x509: Library,
  authority: Authority,
  leaf: {
    readonly subject: ConstructorParameters<Library['Name']>[0]
    readonly publicKey: CryptoKey | X509.PublicKey
    readonly days: number
    readonly usage: string
    readonly extensions: readonly X509.Extension[]
  },
): Promise<string> {
  const issuer = new x509.X509Certificate(authority.certificate)
  const issuerKey = await issuer.publicKey.export()
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: leaf.subject as string,
    issuer: issuer.subject,
    ...validity(leaf.days),
    publicKey: leaf.publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([leaf.usage]),
      await x509.AuthorityKeyIdentifierExtension.create(issuerKey),
      ...leaf.extensions,
    ],
  })
  return certificate.toString('pem')
}

/**
 * A distinguished name in the structured form, so that no value can be taken for more than a value.
 */
function nameOf(parts: readonly (readonly [string, string])[]): Record<string, string[]>[] {
  return parts.map(([type, value]) => ({ [type]: [value] }))
}

function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0] ?? 0) & 0x7f
  return bytes.toString('hex')
}

function validity(days: number): { readonly notBefore: Date; readonly notAfter: Date } {
  const now = Date.now()
  return {
    notBefore: new Date(now - BACKDATE_DAYS * DAY_MS),
    notAfter: new Date(now + days * DAY_MS),
  }
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, [
    'sign',
    'verify',
  ])) as unknown as CryptoKeyPair
}

async function exportKey(key: CryptoKey): Promise<string> {
  const bytes = Buffer.from(
    await webcrypto.subtle.exportKey('pkcs8', key as unknown as webcrypto.CryptoKey),
  )
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`
}

async function importKey(pem: string): Promise<CryptoKey> {
  const bytes = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
  const key = await webcrypto.subtle.importKey('pkcs8', bytes, ALGORITHM, false, ['sign'])
  return key as unknown as CryptoKey
}
