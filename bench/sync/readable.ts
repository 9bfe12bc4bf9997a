import type { Check, Figures, RowResult } from './harness/result.ts'
import type { Machine } from './machine.ts'

/** Everything that was measured in one run of the table. */
export interface Report {
  readonly benchmark: string
  readonly quick: boolean
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly rows: readonly RowResult[]
}

const GIB = 2 ** 30

/** The report for people: the promises first, then every figure. */
export function readable(title: string, report: Report): string {
  const { machine, versions, rows } = report
  const memory = (machine.memoryBytes / GIB).toFixed(0)
  const lines = [
    `${title}: ${machine.cores} cores of ${machine.cpu}, ${memory} GiB, ${machine.system}, Node ${machine.node}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
  ]
  if (report.quick) lines.push('QUICK: small amounts, the figures mean nothing')
  for (const row of rows) lines.push('', ...rowLines(row))
  const met = rows.filter((row) => row.met).length
  lines.push('', `${met} of ${rows.length} rows met`, '')
  return lines.join('\n')
}

function rowLines(row: RowResult): string[] {
  const runs = row.runs === 1 ? 'one run' : `medians of ${row.runs}`
  return [
    `${row.met ? 'met    ' : 'NOT MET'} ${row.title} (${runs})`,
    `        target: ${row.target}`,
    ...row.checks.map((check) => `        ${check.met ? 'yes' : 'NO '} ${checkText(check)}`),
    ...Object.entries(row.systems).map(
      ([system, figures]) => `        ${system.padEnd(34)}${figuresText(figures)}`,
    ),
    ...row.notes.map((note) => `        note: ${note}`),
  ]
}

function checkText({ name, value, atMost, atLeast }: Check): string {
  const limit = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`
  return `${name}: ${short(value)} (${limit})`
}

function figuresText(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${short(value)}`)
    .join('  ')
}

function short(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}
