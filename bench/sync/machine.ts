import { createRequire } from 'node:module'
import { cpus, release, totalmem } from 'node:os'

const PEERS = [
  '@automerge/automerge',
  '@automerge/automerge-repo',
  '@hocuspocus/server',
  '@hocuspocus/provider',
  'yjs',
  'ws',
  'classic-level',
] as const

/** What the figures were measured on. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly system: string
  readonly node: string
}

export function machine(): Machine {
  const [first] = cpus()
  return {
    cpu: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
  }
}

/** The versions of what was measured. */
export function versions(): Readonly<Record<string, string>> {
  const require = createRequire(import.meta.url)
  return Object.fromEntries(PEERS.map((name) => [name, versionOf(require, name)]))
}

/** Read from the file beside the package, as not every package exports its manifest. */
function versionOf(require: NodeJS.Require, name: string): string {
  for (const directory of require.resolve.paths(name) ?? []) {
    try {
      return (require(`${directory}/${name}/package.json`) as { version: string }).version
    } catch {
      // Not in this directory: the next one up.
    }
  }
  return 'unknown'
}
