/** The name of an image, taken apart. */
export interface ImageName {
  /** Registry and path, as in `docker.io/library/busybox`. */
  readonly repository: string
  /** `latest` where the name says neither tag nor digest. */
  readonly tag: string | undefined
  readonly digest: string | undefined
  /** What a registry is asked for: the repository with its digest, or with its tag. */
  readonly reference: string
}

const HUB = 'docker.io'
const HUB_FORMER = 'index.docker.io'
const TAG_DEFAULT = 'latest'
const NAME_CHARS_MAX = 255

const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?'
const DOMAIN = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`)
const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const PATH = new RegExp(`^${PART}(?:/${PART})*$`)
const TAG = /^\w[\w.-]{0,127}$/
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/
/** What would be an id, not a name. */
const ID = /^[a-f0-9]{64}$/

/**
 * Reads the name of an image as Docker and Kubernetes do: without a registry it is Docker Hub's, and
 * without a path there it is one of `library`.
 *
 * @returns what is wrong with it, in the words of the reference parser, when it cannot be one.
 */
export function parseImageName(text: string): ImageName | { readonly problem: string } {
  if (text === '') return { problem: 'invalid reference format' }
  if (ID.test(text)) {
    return {
      problem: `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
    }
  }
  const [named = '', digest, ...more] = text.split('@')
  const colon = named.lastIndexOf(':')
  const hasTag = colon > named.lastIndexOf('/')
  const name = hasTag ? named.slice(0, colon) : named
  const tag = hasTag ? named.slice(colon + 1) : undefined
  const { domain, path } = splitDomain(name)
  if (path !== path.toLowerCase()) {
    return { problem: `invalid reference format: repository name (${path}) must be lowercase` }
  }
  const isRight =
    more.length === 0 &&
    DOMAIN.test(domain) &&
    PATH.test(path) &&
    (tag === undefined || TAG.test(tag)) &&
    (digest === undefined || DIGEST.test(digest))
  if (!isRight) return { problem: 'invalid reference format' }
  const repository = `${domain}/${path}`
  if (path.length > NAME_CHARS_MAX) {
    return { problem: `repository name must not be more than ${NAME_CHARS_MAX} characters` }
  }
  if (digest !== undefined) {
    return { repository, tag, digest, reference: `${repository}@${digest}` }
  }
  const shown = tag ?? TAG_DEFAULT
  return { repository, tag: shown, digest, reference: `${repository}:${shown}` }
}

/** The first part is a registry when it looks like a host; else all of it is a path at Docker Hub. */
function splitDomain(name: string): { readonly domain: string; readonly path: string } {
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(slash, 0))
  const isHost =
    slash !== -1 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase())
  const domain = !isHost || first === HUB_FORMER ? HUB : first
  const path = isHost ? name.slice(slash + 1) : name
  return { domain, path: domain === HUB && !path.includes('/') ? `library/${path}` : path }
}
