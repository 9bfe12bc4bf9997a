import { createRequire } from 'node:module'

/** What the programs need beside the packages that come with them: optional peers of the library. */
const NEEDED = ['ws', 'classic-level', '@peculiar/x509', 'reflect-metadata'] as const
/** How far down the causes of an error are looked at. */
const CAUSES_MAX = 4
/** As Node says it: https://nodejs.org/api/errors.html#err_module_not_found. */
const NOT_FOUND = /^Cannot find package '([^']+)'/

/**
 * What has to be installed after a package could not be loaded: that one, and everything else that the
 * programs need and that is not there either.
 *
 * @returns nothing when the error is another one.
 */
export function missingPackages(error: unknown): readonly string[] {
  const missing = notFound(error)
  if (missing === undefined) return []
  const { resolve } = createRequire(import.meta.url)
  const others = NEEDED.filter((name) => !isThere(name, resolve))
  return [...new Set([...others, missing])]
}

function notFound(error: unknown): string | undefined {
  let cause = error
  for (let depth = 0; depth < CAUSES_MAX && cause instanceof Error; depth += 1) {
    const isOurs = 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND'
    const [, path = ''] = (isOurs && NOT_FOUND.exec(cause.message)) || []
    // A path below a package belongs to it: `@scope/name/file.js`.
    if (path !== '') return /^(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]
    cause = cause.cause
  }
  return undefined
}

function isThere(name: string, resolve: (name: string) => string): boolean {
  try {
    resolve(name)
    return true
  } catch {
    return false
  }
}
