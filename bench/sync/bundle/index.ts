import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

import { atMost, type Figures, figure } from '../harness/result.ts'
import type { Row } from '../row.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const KB = 1000

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
        ],
      },
    ]
  },
}

async function sizeOf(contents: string): Promise<Figures> {
  const result = await build({
    stdin: { contents, resolveDir: ROOT, loader: 'ts' },
    bundle: true,
    minify: true,
    write: false,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    external: ['@automerge/automerge', '@automerge/automerge/*'],
    tsconfig: `${ROOT}/tsconfig.json`,
    logLevel: 'error',
  })
  const bytes = result.outputFiles[0]?.contents ?? new Uint8Array(0)
  return { gzipKB: gzipSync(bytes, { level: 9 }).length / KB, minifiedKB: bytes.length / KB }
}
