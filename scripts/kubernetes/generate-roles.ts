// Writes src/adapters/kubernetes/identity/bootstrap.json: the roles and bindings that every cluster
// has from the start, read from the tables that kube-apiserver is tested with (k8s.io/kubernetes,
// Apache-2.0). Names and rules only, no prose. Needs Go for its module proxy client:
//
//   npx tsx scripts/kubernetes/generate-roles.ts
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'

const MODULE = 'k8s.io/kubernetes@v1.36.3'
const FOLDER = 'plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata'
const TARGET = new URL('../../src/adapters/kubernetes/identity/bootstrap.json', import.meta.url)

/** What every one of them carries: put on again when they are made. */
const MARKS = {
  annotation: 'rbac.authorization.kubernetes.io/autoupdate',
  label: 'kubernetes.io/bootstrapping',
}

/** What is needed everywhere, and what is only needed beside a kube-controller-manager. */
const TABLES = {
  cluster: ['cluster-roles', 'cluster-role-bindings', 'namespace-roles', 'namespace-role-bindings'],
  controllers: ['controller-roles', 'controller-role-bindings'],
} as const

interface Entry {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly [key: string]: unknown
}

const out = execFileSync('go', ['mod', 'download', '-json', MODULE], {
  cwd: mkdtempSync(join(tmpdir(), 'roles-')),
  encoding: 'utf8',
})
const directory = (JSON.parse(out) as { Dir: string }).Dir

function entries(table: string): readonly unknown[] {
  const text = readFileSync(join(directory, FOLDER, `${table}.yaml`), 'utf8')
  const list = parse(text) as { items: readonly Entry[] }
  return list.items.map(({ kind, metadata, rules, aggregationRule, roleRef, subjects }) => {
    const { [MARKS.label]: _mark, ...labels } = metadata.labels ?? {}
    return {
      kind,
      name: metadata.name,
      namespace: metadata.namespace,
      labels: Object.keys(labels).length === 0 ? undefined : labels,
      aggregationRule,
      rules: rules ?? undefined,
      roleRef,
      subjects,
    }
  })
}

const rows = (tables: readonly string[]): string =>
  tables
    .flatMap(entries)
    .map((entry) => JSON.stringify(entry))
    .join(',\n')
const sections = Object.entries(TABLES).map(
  ([name, tables]) => `${JSON.stringify(name)}:[\n${rows(tables)}\n]`,
)
writeFileSync(TARGET, `{"source":${JSON.stringify(MODULE)},\n${sections.join(',\n')}\n}\n`)
