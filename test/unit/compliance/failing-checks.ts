import type { TestFunction } from '../../../src/compliance/index.ts'

/** Runs a suite and gives the names of the checks that fail, in order. */
export async function failingChecks(
  register: (test: TestFunction) => void,
): Promise<readonly string[]> {
  const checks: { readonly name: string; readonly run: () => Promise<void> }[] = []
  register((name, run) => {
    checks.push({ name, run })
  })
  const outcomes = await Promise.allSettled(checks.map(({ run }) => run()))
  return checks.flatMap(({ name }, index) => (outcomes[index]?.status === 'rejected' ? [name] : []))
}
