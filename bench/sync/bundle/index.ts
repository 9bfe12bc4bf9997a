import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, type Metafile } from 'esbuild'

import { atMost, type Figures, figure } from '../harness/result.ts'
import type { Row } from '../row.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const KB = 1000
/** Nothing is written there: the parts of a bundle need names. */
const OUT = join(ROOT, 'node_modules/.cache/bundle')

/** What an app in a browser imports to sync: the names it uses, and all that there is. */
const ENTRIES = {
  tideway: `
    export { createReplica } from 'tideway'
    export { webSocket } from 'tideway/transports/websocket'
    export { indexedDbStorage } from 'tideway/adapters/storage/indexeddb'`,
  'tideway, every export': `
    export * from 'tideway'
    export * from 'tideway/transports/websocket'
    export * from 'tideway/adapters/storage/indexeddb'`,
} as const

/** How much an app in a browser has to load before Automerge. */
export const bundleRow: Row = {
  name: 'bundle',
  about: 'bundle size in a browser of core, websocket and indexeddb, without Automerge',
  run: async ({ say }) => {
    say('bundles for a browser')
    const systems: Record<string, Figures> = {}
    for (const [name, entry] of Object.entries(ENTRIES)) systems[name] = await sizeOf(entry)
    const checks = [atMost('KB gzip', figure(systems, 'tideway', 'gzipKB'), 40)]
    return [
      {
        row: 'bundle',
        title:
          "bundle size in a browser for core + websocket + indexeddb, without Automerge's WASM",
        target: 'at most 40 KB gzip',
        runs: 1,
        systems,
        checks,
        met: checks.every(({ met }) => met),
        notes: [
          'minified by esbuild from the sources; Automerge itself, JavaScript and WASM, is left out',
          'what is loaded later is what the options ask for: cutting histories, and measures',
        ],
      },
    ]
  },
}

async function sizeOf(contents: string): Promise<Figures> {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: ROOT, loader: 'ts' },
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    outdir: OUT,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    external: ['@automerge/automerge', '@automerge/automerge/*'],
    tsconfig: `${ROOT}/tsconfig.json`,
    logLevel: 'error',
  })
  const first = loadedWith(metafile.outputs)
  const figures = { gzipKB: 0, minifiedKB: 0, laterGzipKB: 0 }
  for (const { path, contents } of outputFiles) {
    const gzipKB = gzipSync(contents, { level: 9 }).length / KB
    if (first.has(relative(process.cwd(), path))) {
      figures.gzipKB += gzipKB
      figures.minifiedKB += contents.length / KB
    } else figures.laterGzipKB += gzipKB
  }
  return figures
}

/** The files that load before anything runs: the first one, and what it imports without asking. */
function loadedWith(outputs: Metafile['outputs']): ReadonlySet<string> {
  const loaded = new Set(
    Object.keys(outputs).filter((path) => outputs[path]?.entryPoint === '<stdin>'),
  )
  for (const path of loaded) {
    for (const { path: imported, kind } of outputs[path]?.imports ?? []) {
      if (kind === 'import-statement') loaded.add(imported)
    }
  }
  return loaded
}
