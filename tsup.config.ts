import type { Options } from 'tsup'
import { readEntries } from './scripts/entries.mjs'

const options: Options = {
  entry: Object.fromEntries(readEntries().present.map((entry) => [entry.name, entry.source])),
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  splitting: true,
  clean: false,
  silent: true,
  // Examples use the package as a user would: they find it by its own name at run time.
  external: [/^node:/, /^tideway(\/|$)/],
}

export default options
