import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node'
import allowedSkips from './allowed-skips.json' with { type: 'json' }
import { findUnreviewedSkips, type ReviewedSkip, type Skip, summarise } from './skip-report.ts'

/**
 * Ends a run with what was skipped, by name and reason, and one line that counts everything.
 *
 * Where `CI` is `true`, a skip that is not on the reviewed list fails the run.
 */
export class ClosingLineReporter implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly SerializedError[],
    reason: 'passed' | 'interrupted' | 'failed',
  ): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const skips = tests.filter((test) => test.result().state === 'skipped').map(toSkip)
    const broken = modules.filter((module) => module.errors().length > 0)
    const brokenSuites = modules.flatMap((module) =>
      [...module.children.allSuites()].filter((suite) => suite.errors().length > 0),
    )
    const unreviewed =
      process.env['CI'] === 'true' ? findUnreviewedSkips(skips, allowedSkips as ReviewedSkip[]) : []
    const lines = summarise({
      passed: tests.filter((test) => test.result().state === 'passed').length,
      failed:
        tests.filter((test) => test.result().state === 'failed').length +
        broken.length +
        brokenSuites.length +
        unhandledErrors.length,
      unfinished: tests.filter((test) => test.result().state === 'pending').length,
      interrupted: reason === 'interrupted',
      skips,
      unreviewed,
      unsteady: tests
        .filter((test) => test.diagnostic()?.flaky === true && test.result().state === 'passed')
        .map((test) => test.fullName),
    })
    if (unreviewed.length > 0 || tests.length === 0) process.exitCode = 1
    // The default reporter prints its own summary in the same hook; ours comes after everything.
    process.once('exit', () => process.stdout.write(`${lines.join('\n')}\n`))
  }
}

function toSkip(test: TestCase): Skip {
  const result = test.result()
  return {
    name: test.fullName,
    file: test.module.relativeModuleId,
    reason: (result.state === 'skipped' ? result.note : undefined) ?? '',
  }
}
