import { importsOf, resolveImport } from './syntax.ts'
import type { Rule, Tree } from './tree.ts'

/** Subpaths that must load where there is no Node. */
const ENTRIES = [
  'src/index.ts',
  'src/transports/memory/index.ts',
  'src/transports/websocket/index.ts',
  'src/adapters/storage/memory/index.ts',
  'src/adapters/storage/indexeddb/index.ts',
  'src/adapters/reconciler/index.ts',
  'src/adapters/kubernetes/objects/index.ts',
  'src/adapters/runtime/index.ts',
  'src/inspect/index.ts',
  'src/compliance/index.ts',
]

const NODE_ONLY = /^(?:node:.*|ws|classic-level|pino|commander)$/

function reach(tree: Tree, entry: string): readonly string[] {
  const reports: string[] = []
  const seen = new Set([entry])
  for (const path of seen) {
    for (const { specifier, line, typeOnly } of importsOf(path, tree.get(path) ?? '')) {
      if (typeOnly) continue
      const target = resolveImport(path, specifier)
      if (target !== undefined) seen.add(target)
      else if (NODE_ONLY.test(specifier))
        reports.push(`${path}:${line}: ${entry} would pull ${specifier} into a browser`)
    }
  }
  return reports
}

/** Server halves have subpaths of their own, so nobody gets `ws` or `node:` by accident. */
export const browserSafe: Rule = {
  name: 'what a browser may load reaches no Node module',
  check: (tree) => ENTRIES.flatMap((entry) => reach(tree, entry)),
}
