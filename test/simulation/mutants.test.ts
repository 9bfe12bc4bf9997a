import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { planted } from './mutant-plugin.ts'
import { MUTANTS } from './mutants.ts'

const root = new URL('../../', import.meta.url)

// Under a planted defect the sources are as they are: it exists in memory only.
test.each(MUTANTS)('the mutant $name still applies to $file', async (mutant) => {
  const source = await readFile(new URL(mutant.file, root), 'utf8')
  const result = planted(mutant, source)
  expect(result).not.toBe(source)
  expect(result).toContain(mutant.replace)
})

test('every mutant stands in the table of caught defects', async () => {
  const page = await readFile(new URL('docs/invariants.md', root), 'utf8')
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  const names = rows.map((row) => row.split('`')[1])
  expect(names).toEqual(MUTANTS.map(({ name }) => name))
  expect(rows.filter((row) => row.includes('NOT CAUGHT'))).toEqual([])
})
