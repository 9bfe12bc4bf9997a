import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOM = fileURLToPath(new URL('../../.cache/crash/', import.meta.url))

/**
 * Makes one file of plain JavaScript of a program of the tests: it starts in a quarter of the time, which
 * counts where one is started dozens of times.
 *
 * @param source path of the TypeScript file.
 * @returns path of the file that Node runs.
 */
export async function bundledProgram(source: string): Promise<string> {
  await mkdir(ROOM, { recursive: true })
  const program = join(ROOM, basename(source).replace(/\.ts$/, '.mjs'))
  await build({
    entryPoints: [source],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    outfile: program,
    logLevel: 'silent',
  })
  return program
}
