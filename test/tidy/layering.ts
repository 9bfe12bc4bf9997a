import { codeFiles, importsOf, resolveImport } from './syntax.ts'
import type { Rule, Tree } from './tree.ts'

/** What the files of one room may import, beside their own folder. */
interface Room {
  readonly files: RegExp
  /** Files of the repository. */
  readonly may: readonly RegExp[]
  /** Packages and `node:` modules. */
  readonly packages: readonly RegExp[]
}

const BASE =
  /^src\/core\/(?:errors|ids|bytes|cbor-reader|cbor-writer|index|sort-texts|sparse-collections)\.ts$|^src\/core\/interfaces\//
const LOG = /^src\/core\/log\//
const RECONCILER = /^src\/adapters\/reconciler\//
const OBJECTS = /^src\/adapters\/kubernetes\/objects\//
const IDENTITY = /^src\/adapters\/kubernetes\/identity\//
const SPDY = /^src\/adapters\/spdy\//
const GRPC = /^src\/adapters\/grpc\//
const RUNTIME_INTERFACE = /^src\/adapters\/runtime\/(?:index|[a-z-]+)\.ts$/
/** How engines serve sessions, which a kubelet passes on. */
const ENGINE_STREAMS =
  /^src\/adapters\/runtime\/cri\/(?:engine-session|engine-streams|port-connection)\.ts$/
/** The vocabulary that the log and the session share. Types only. */
const SYNC_WORDS = /^src\/core\/sync\/io\.ts$/

const CORE_PACKAGES = [/^@automerge\/automerge(?:\/|$)/, /^@noble\/hashes\//]
const NODE = /^node:/

/** The first room that matches a file is its room. Anything that is not named here is forbidden. */
const ROOMS: readonly Room[] = [
  { files: /^src\/core\/interfaces\//, may: [BASE], packages: [] },
  { files: /^src\/core\/log\//, may: [BASE, SYNC_WORDS], packages: CORE_PACKAGES },
  { files: /^src\/core\/document\//, may: [BASE, LOG, SYNC_WORDS], packages: CORE_PACKAGES },
  { files: /^src\/core\/sync\//, may: [BASE, LOG], packages: CORE_PACKAGES },
  { files: /^src\/core\/access\//, may: [BASE, LOG, SYNC_WORDS], packages: CORE_PACKAGES },
  { files: /^src\/core\//, may: [/^src\/core\//], packages: CORE_PACKAGES },
  {
    files: /^src\/(?:index|system)\.ts$/,
    may: [/^src\/core\/|^src\/system\.ts$/],
    packages: CORE_PACKAGES,
  },
  { files: /^src\/node\//, may: [BASE], packages: [NODE] },
  {
    files: /^src\/transports\//,
    may: [BASE, /^src\/transports\/[^/]+\.ts$/],
    packages: [NODE, /^ws$/],
  },
  {
    files: /^src\/adapters\/storage\//,
    may: [BASE, /^src\/adapters\/storage\/[^/]+\.ts$/],
    packages: [NODE, /^classic-level$/, /^idb-keyval$/],
  },
  { files: /^src\/adapters\/metrics\//, may: [BASE], packages: [/^prom-client$/] },
  // It shows what the engine says, so it may look into it; nothing of the package looks into it.
  { files: /^src\/inspect\//, may: [/^src\/core\//], packages: CORE_PACKAGES },
  { files: /^src\/adapters\/reconciler\//, may: [BASE], packages: [] },
  { files: SPDY, may: [BASE], packages: [NODE] },
  { files: GRPC, may: [BASE], packages: [NODE] },
  { files: OBJECTS, may: [BASE], packages: CORE_PACKAGES },
  { files: IDENTITY, may: [BASE, RECONCILER, OBJECTS], packages: [NODE] },
  {
    files: /^src\/adapters\/kubernetes\//,
    may: [BASE, RECONCILER, OBJECTS, IDENTITY, SPDY],
    packages: [
      NODE,
      /^@marcbachmann\/cel-js$/,
      /^re2js$/,
      /^yaml$/,
      /^@peculiar\/x509$/,
      /^reflect-metadata$/,
      /^@kubernetes\/client-node$/,
      /^ws$/,
    ],
  },
  { files: /^src\/adapters\/runtime\/[a-z-]+\.ts$/, may: [BASE], packages: [NODE] },
  {
    files: /^src\/adapters\/runtime\/cri\//,
    may: [BASE, RUNTIME_INTERFACE, SPDY, GRPC],
    packages: [NODE, /^protobufjs\/light\.js$/],
  },
  {
    files: /^src\/adapters\/runtime\/kubelet\//,
    may: [BASE, RUNTIME_INTERFACE, OBJECTS, ENGINE_STREAMS],
    packages: [NODE],
  },
  { files: /^src\/adapters\/runtime\//, may: [BASE, RUNTIME_INTERFACE], packages: [NODE] },
  {
    files: /^src\/adapters\/edged\//,
    may: [BASE, RECONCILER, OBJECTS, RUNTIME_INTERFACE, GRPC],
    packages: [NODE],
  },
  {
    files: /^src\/compliance\//,
    may: [BASE, RUNTIME_INTERFACE],
    packages: [],
  },
]

/** Names that a package manifest lists as what its users get or may bring. */
function publicPackages(tree: Tree): readonly string[] {
  const manifest = JSON.parse(tree.get('package.json') ?? '{}') as Record<string, unknown>
  const names = (key: string): string[] => Object.keys((manifest[key] ?? {}) as object)
  return [...names('dependencies'), ...names('peerDependencies')]
}

function checkSource(path: string, text: string): readonly string[] {
  const room = ROOMS.find((candidate) => candidate.files.test(path))
  if (room === undefined) return [`${path}:1: this folder has no row in test/tidy/layering.ts`]
  const own = ownFolder(path)
  return importsOf(path, text).flatMap(({ specifier, line }) => {
    const target = resolveImport(path, specifier)
    if (target !== undefined) {
      if (specifier.startsWith('tideway'))
        return [
          `${path}:${line}: src/ imports ${specifier} by its public name: use a relative path`,
        ]
      const allowed = target.startsWith(own) || room.may.some((pattern) => pattern.test(target))
      return allowed ? [] : [`${path}:${line}: this room may not import ${target}`]
    }
    if (room.packages.some((pattern) => pattern.test(specifier))) return []
    return [`${path}:${line}: this room may not import the package ${specifier}`]
  })
}

/** The folder whose files a file may always import: the room's, not only the file's own. */
function ownFolder(path: string): string {
  const match =
    /^src\/core\/[^/]+\/|^src\/transports\/[^/]+\/|^src\/adapters\/(?:storage|kubernetes|runtime)\/[^/]+\/|^src\/adapters\/[^/]+\/|^src\/[^/]+\//.exec(
      path,
    )
  return match?.[0] ?? path
}

function checkExample(path: string, text: string, tree: Tree): readonly string[] {
  const own = path.split('/').slice(0, 2).join('/')
  const packages = publicPackages(tree)
  const exported = Object.keys(
    (JSON.parse(tree.get('package.json') ?? '{}') as { exports?: object }).exports ?? {},
  )
  return importsOf(path, text).flatMap(({ specifier, line }) => {
    if (specifier.startsWith('.')) {
      const target = resolveImport(path, specifier) ?? ''
      return target.startsWith(`${own}/`) || target.startsWith('examples/shared/')
        ? []
        : [
            `${path}:${line}: an example imports its own folder, examples/shared and public subpaths`,
          ]
    }
    if (/^tideway(?:\/|$)/.test(specifier)) {
      return exported.includes(specifier.replace('tideway', '.'))
        ? []
        : [`${path}:${line}: ${specifier} is no public subpath`]
    }
    if (NODE.test(specifier)) return []
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
    return packages.includes(name)
      ? []
      : [`${path}:${line}: ${name} is neither a dependency nor a peer dependency`]
  })
}

/** Who may import whom, finer than the linter can say it. */
export const layering: Rule = {
  name: 'every import stays within what its room may import',
  check: (tree) => [
    ...codeFiles(tree, /^src\//).flatMap(([path, text]) => checkSource(path, text)),
    ...codeFiles(tree, /^examples\/[^/]+\//).flatMap(([path, text]) =>
      checkExample(path, text, tree),
    ),
  ],
}
