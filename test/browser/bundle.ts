import { fileURLToPath } from 'node:url'
import { type BuildOptions, build } from 'esbuild'

/** What a browser would get. */
export interface Bundle {
  readonly code: string
  /** Paths of all that went in. */
  readonly inputs: readonly string[]
  /** What it still imports when it runs. */
  readonly imports: readonly string[]
}

const FOLDER = fileURLToPath(new URL('page/', import.meta.url))

/** Bundles one file of test/browser/page. */
export function bundleFile(name: string): Promise<Bundle> {
  // As an entry: a bundler may drop a mere import, as the package says that it has no side effects.
  return run({ entryPoints: [`${FOLDER}${name}`] })
}

/** Bundles a module that is given as text. */
export function bundleText(contents: string): Promise<Bundle> {
  return run({ stdin: { contents, resolveDir: FOLDER } })
}

/**
 * Bundles for browsers from the built package, found by its name as a user's bundler would.
 *
 * The condition `webpack` chooses the build of Automerge that carries its WebAssembly as text:
 * esbuild cannot import a `.wasm` file as a module, which the build for `browser` asks for.
 */
async function run(entry: Pick<BuildOptions, 'entryPoints' | 'stdin'>): Promise<Bundle> {
  const { metafile, outputFiles } = await build({
    ...entry,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['webpack'],
    // Without it the names would lead to the sources, by the paths of tsconfig.json.
    tsconfigRaw: {},
    outfile: 'bundle.js',
    write: false,
    metafile: true,
    logLevel: 'silent',
  })
  const { inputs, outputs } = metafile
  return {
    code: outputFiles[0]?.text ?? '',
    inputs: Object.keys(inputs),
    imports: Object.values(outputs).flatMap((output) => output.imports.map(({ path }) => path)),
  }
}
