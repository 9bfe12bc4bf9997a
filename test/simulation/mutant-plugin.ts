import { fileURLToPath } from 'node:url'
import { MUTANTS, type Mutant } from './mutants.ts'

/** The part of Vite's plugins that this one is made of. */
interface SourcePlugin {
  readonly name: string
  readonly enforce: 'pre'
  transform(code: string, id: string): string | undefined
}

/**
 * Plants the defect that the environment variable MUTANT names into one source file, for tests. Without
 * the variable there is no plugin.
 *
 * @throws Error when there is no such defect.
 */
export function plantedMutants(): SourcePlugin[] {
  const name = process.env['MUTANT']
  if (name === undefined) return []
  const mutant = MUTANTS.find((other) => other.name === name)
  if (mutant === undefined) throw new Error(`there is no mutant ${name}`)
  const file = fileURLToPath(new URL(`../../${mutant.file}`, import.meta.url))
  return [
    {
      name: 'planted-mutant',
      enforce: 'pre',
      transform: (code, id) => (id.split('?')[0] === file ? planted(mutant, code) : undefined),
    },
  ]
}

/** The source with the defect. @throws Error when the place is not there exactly once. */
export function planted(mutant: Mutant, source: string): string {
  const parts = source.split(mutant.find)
  if (parts.length !== 2) {
    throw new Error(`the mutant does not apply: ${mutant.name} finds ${parts.length - 1} places`)
  }
  return parts.join(mutant.replace)
}
