import { randomInt } from 'node:crypto'
import { mapAt, mapsAt, textAt } from '../../objects/read.ts'
import type { Json, JsonObject, KubeObject, ObjectStore } from '../../objects/types.ts'
import { forbidden, type StatusError } from '../status.ts'

// The admission of Kubernetes that gives pods their service account (plugin/pkg/admission/serviceaccount).

/** Where containers find the token of their account (client-go, rest.InClusterConfig). */
export const ACCOUNT_MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount'

const DEFAULT_ACCOUNT = 'default'
const VOLUME_PREFIX = 'kube-api-access-'
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror'
const ENFORCE_ANNOTATION = 'kubernetes.io/enforce-mountable-secrets'
const ROOT_CA = 'kube-root-ca.crt'

/** An hour and the seven seconds by which a token of this admission is told from one that was asked for. */
const TOKEN_SECONDS = 3_607

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'
const SUFFIX_CHARACTERS = 5

/** What strconv.ParseBool of Go takes for true. */
const TRUE_TEXTS: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True'])

/**
 * A new pod with its service account, the volume with the token of it, and the secrets to pull images
 * with.
 *
 * @throws StatusError 403 when the account is not there, or the pod refers to secrets that it may not.
 */
export function withServiceAccount(pod: KubeObject, store: Pick<ObjectStore, 'get'>): KubeObject {
  if (pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) {
    checkMirror(pod)
    return pod
  }
  const spec = mapAt(pod, 'spec') ?? {}
  const name = textAt(spec, 'serviceAccountName') ?? DEFAULT_ACCOUNT
  const { namespace = 'default' } = pod.metadata
  const account = store.get({ resource: 'serviceaccounts', namespace, name })
  if (account === undefined) {
    const why = `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`
    throw refused(pod, why)
  }
  const named: JsonObject = { ...spec, serviceAccountName: name, serviceAccount: name }
  const mounted = automounts(account, spec) ? withToken(named) : named
  const full = withPullSecrets(mounted, account)
  if (TRUE_TEXTS.has(account.metadata.annotations?.[ENFORCE_ANNOTATION] ?? '')) {
    const why = unlistedSecret(full, account)
    if (why !== undefined) throw refused(pod, why)
  }
  return { ...pod, spec: full }
}

function refused({ metadata }: KubeObject, why: string): StatusError {
  return forbidden({ plural: 'pods', group: '', kind: 'Pod' }, metadata.name, why)
}

/** What a kubelet runs by itself has no account, and nothing that is only for those who have one. */
function checkMirror(pod: KubeObject): void {
  const spec = mapAt(pod, 'spec')
  if (textAt(spec, 'serviceAccountName') !== undefined)
    throw refused(pod, 'a mirror pod may not reference service accounts')
  const volumes = mapsAt(spec, 'volumes')
  const sources = volumes.flatMap((volume) => mapsAt(volume, 'projected', 'sources'))
  const isSecret = (item: JsonObject): boolean => item['secret'] !== undefined
  const hasSecret =
    mapsAt(spec, 'imagePullSecrets').length > 0 ||
    [...volumes, ...sources].some(isSecret) ||
    allContainers(spec).some((container) => secretsOfContainer(container).length > 0)
  if (hasSecret) throw refused(pod, 'a mirror pod may not reference secrets')
  if (sources.some((source) => source['serviceAccountToken'] !== undefined))
    throw refused(pod, 'a mirror pod may not use ServiceAccountToken volume projections')
}

function allContainers(spec: JsonObject | undefined): readonly JsonObject[] {
  return [
    ...mapsAt(spec, 'initContainers'),
    ...mapsAt(spec, 'containers'),
    ...mapsAt(spec, 'ephemeralContainers'),
  ]
}

/** The pod's own word counts, then that of the account. */
function automounts(account: KubeObject, spec: JsonObject): boolean {
  const given = spec['automountServiceAccountToken'] ?? account['automountServiceAccountToken']
  return given !== false
}

function withToken(spec: JsonObject): JsonObject {
  const known = mapsAt(spec, 'volumes').find((volume) =>
    textAt(volume, 'name')?.startsWith(VOLUME_PREFIX),
  )
  const volume = textAt(known, 'name') ?? volumeName()
  let isNeeded = false
  const mounted = (list: string): JsonObject => {
    if (!Array.isArray(spec[list])) return {}
    const containers = mapsAt(spec, list).map((container) => {
      const mounts = mapsAt(container, 'volumeMounts')
      if (mounts.some((mount) => mount['mountPath'] === ACCOUNT_MOUNT_PATH)) return container
      isNeeded = true
      const own = { name: volume, readOnly: true, mountPath: ACCOUNT_MOUNT_PATH }
      return { ...container, volumeMounts: [...mounts, own] }
    })
    return { [list]: containers }
  }
  const full = { ...spec, ...mounted('initContainers'), ...mounted('containers') }
  if (known !== undefined || !isNeeded) return full
  const volumes = [...mapsAt(spec, 'volumes'), { name: volume, projected: tokenVolume() }]
  return { ...full, volumes }
}

function volumeName(): string {
  const draw = (): string => ALPHABET[randomInt(ALPHABET.length)] ?? ''
  return VOLUME_PREFIX + Array.from({ length: SUFFIX_CHARACTERS }, draw).join('')
}

function tokenVolume(): JsonObject {
  const namespace = { apiVersion: 'v1', fieldPath: 'metadata.namespace' }
  return {
    defaultMode: 0o644,
    sources: [
      { serviceAccountToken: { path: 'token', expirationSeconds: TOKEN_SECONDS } },
      { configMap: { name: ROOT_CA, items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: namespace }] } },
    ],
  }
}

function withPullSecrets(spec: JsonObject, account: KubeObject): JsonObject {
  if (mapsAt(spec, 'imagePullSecrets').length > 0) return spec
  const own = mapsAt(account, 'imagePullSecrets').map((item) => ({ name: item['name'] as Json }))
  return own.length === 0 ? spec : { ...spec, imagePullSecrets: own }
}

interface SecretUse {
  readonly secret: string
  /** How a refusal names the place. */
  readonly place: string
}

function secretsOfContainer(container: JsonObject): readonly SecretUse[] {
  const uses: SecretUse[] = []
  for (const variable of mapsAt(container, 'env')) {
    const secret = textAt(variable, 'valueFrom', 'secretKeyRef', 'name')
    const place = `envVar ${textAt(variable, 'name') ?? ''}`
    if (secret !== undefined) uses.push({ secret, place })
  }
  for (const from of mapsAt(container, 'envFrom')) {
    const secret = textAt(from, 'secretRef', 'name')
    if (secret !== undefined) uses.push({ secret, place: 'envFrom' })
  }
  return uses
}

/** Why a pod may not use the secrets that it refers to: the account has to list them. */
function unlistedSecret(spec: JsonObject, account: KubeObject): string | undefined {
  const { name } = account.metadata
  const namesIn = (list: string): ReadonlySet<string> =>
    new Set(mapsAt(account, list).map((item) => textAt(item, 'name') ?? ''))
  const listed = namesIn('secrets')
  const end = `is not allowed because service account ${name} does not reference that`
  for (const volume of mapsAt(spec, 'volumes')) {
    const secret = textAt(volume, 'secret', 'secretName')
    if (secret !== undefined && !listed.has(secret))
      return `volume with secret.secretName="${secret}" ${end} secret`
  }
  for (const [list, kind] of [
    ['initContainers', 'init container'],
    ['containers', 'container'],
  ] as const) {
    for (const container of mapsAt(spec, list)) {
      const use = secretsOfContainer(container).find(({ secret }) => !listed.has(secret))
      if (use !== undefined)
        return `${kind} ${textAt(container, 'name') ?? ''} with ${use.place} referencing secret.secretName="${use.secret}" ${end} secret`
    }
  }
  const pullable = namesIn('imagePullSecrets')
  const pulls = mapsAt(spec, 'imagePullSecrets').map((item) => textAt(item, 'name') ?? '')
  const index = pulls.findIndex((secret) => !pullable.has(secret))
  return index < 0
    ? undefined
    : `imagePullSecrets[${index}].name="${pulls[index] ?? ''}" ${end} imagePullSecret`
}
