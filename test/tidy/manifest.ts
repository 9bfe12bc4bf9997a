import { entriesOf, type Manifest } from '../../scripts/entries.mjs'
import type { Rule, Tree } from './tree.ts'

/** Folders whose index is public by its place. */
const PUBLIC =
  /^src\/(?:index|node\/index|transports\/[^/]+\/(?:index|server)|adapters\/(?:reconciler|edged|runtime)\/index|adapters\/(?:storage|kubernetes|runtime|metrics)\/[^/]+\/index|(?:compliance|inspect)\/index)\.ts$/

function readManifest(tree: Tree): Manifest & {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { optional?: boolean }>>
} {
  return JSON.parse(tree.get('package.json') ?? '{"exports":{}}')
}

function checkSubpaths(tree: Tree): readonly string[] {
  const manifest = readManifest(tree)
  const sources = entriesOf(manifest).map((entry) => entry.source)
  const missing = sources
    .filter((source) => !tree.has(source))
    .map((source) => `package.json:1: ${source} is named by exports or bin and does not exist`)
  const unnamed = [...tree.keys()]
    .filter((path) => PUBLIC.test(path) && !sources.includes(path))
    .map((path) => `${path}:1: no subpath in package.json leads here`)
  const misordered = Object.entries(manifest.exports).flatMap(([subpath, target]) => {
    if (typeof target === 'string') return []
    const keys = Object.keys(target as object).join()
    return keys === 'types,default'
      ? []
      : [`package.json:1: ${subpath} has ${keys}, not types,default`]
  })
  return [...missing, ...unnamed, ...misordered]
}

export const subpaths: Rule = {
  name: 'subpaths, programs and sources name each other',
  check: checkSubpaths,
}

function checkPins(tree: Tree): readonly string[] {
  const manifest = readManifest(tree)
  const loose = Object.entries(manifest.devDependencies ?? {})
    .filter(([, version]) => !/^\d+\.\d+\.\d+/.test(version))
    .map(([name]) => `package.json:1: devDependencies pins ${name} exactly`)
  const mandatory = Object.keys(manifest.peerDependencies ?? {})
    .filter((name) => manifest.peerDependenciesMeta?.[name]?.optional !== true)
    .map((name) => `package.json:1: the peer dependency ${name} must be optional`)
  return [...loose, ...mandatory]
}

export const pins: Rule = {
  name: 'tools are pinned exactly and peers are optional',
  check: checkPins,
}

function checkLock(tree: Tree): readonly string[] {
  const lock = JSON.parse(tree.get('package-lock.json') ?? '{}') as {
    readonly packages?: Readonly<
      Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>
    >
  }
  const packages = lock.packages ?? {}
  const locked = new Set(Object.keys(packages).map((path) => path.split('node_modules/').pop()))
  return Object.entries(packages).flatMap(([path, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {})
      .filter((name) => !locked.has(name))
      .map(
        (name) =>
          `package-lock.json:1: ${name} of ${path || 'the package'} is missing: npm ci will refuse;` +
          ' npm run lock adds it',
      ),
  )
}

/** npm leaves out builds for other machines that its registry does not serve. */
export const lockComplete: Rule = {
  name: 'the lock file holds the builds for every machine',
  check: checkLock,
}
