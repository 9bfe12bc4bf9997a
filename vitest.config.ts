import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { ViteUserConfig } from 'vitest/config'
import { plantedMutants } from './test/simulation/mutant-plugin.ts'
import { ClosingLineReporter } from './test/support/closing-line-reporter.ts'
import { LongFirst } from './test/support/long-first.ts'

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url))

/** The package by its public names, as its users write them, but from the sources. */
const alias = [
  { find: /^tideway$/, replacement: source('index.ts') },
  {
    find: /^tideway\/transports\/websocket\/server$/,
    replacement: source('transports/websocket/server.ts'),
  },
  { find: /^tideway\/(.+)$/, replacement: `${source('')}$1/index.ts` },
]

/** One test room, a folder under test/. */
function room(name: string, timeoutMs: number) {
  return {
    extends: true as const,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      setupFiles: ['test/support/automerge.ts'],
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
    },
  }
}

const compliance = room('compliance', 60_000)
const integration = room('integration', 120_000)
const browser = room('browser', 60_000)

const config: ViteUserConfig = {
  // None, unless a planted defect is asked for.
  plugins: plantedMutants(),
  resolve: { alias },
  test: {
    environment: 'node',
    // Who waits for a state waits for it on a busy machine, too.
    expect: { poll: { timeout: 30_000 } },
    dangerouslyIgnoreUnhandledErrors: false,
    // One more than there are cores: the suites of container engines mostly wait for these.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongFirst },
    reporters: ['default', new ClosingLineReporter()],
    coverage: {
      provider: 'v8',
      include: ['src/core/**'],
      reporter: ['text-summary', 'html'],
      thresholds: { lines: 95, branches: 90 },
    },
    projects: [
      {
        extends: true,
        // It parses every file of the repository.
        test: { name: 'tidy', include: ['test/tidy.test.ts'], testTimeout: 60_000 },
      },
      room('unit', 15_000),
      room('property', 60_000),
      {
        ...compliance,
        // Suites of real container engines beside each other: one more attempt, which is told.
        test: { ...compliance.test, retry: 1 },
      },
      room('simulation', 120_000),
      {
        ...integration,
        // Real sockets and processes, which mostly wait for each other: three files at a time, after
        // every other room. What the machine was too busy for gets one more attempt, which the closing
        // lines tell.
        test: { ...integration.test, maxWorkers: 3, retry: 1, sequence: { groupOrder: 1 } },
      },
      {
        ...browser,
        // One browser at a time, with the machine to itself.
        test: { ...browser.test, maxWorkers: 1, retry: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
}

export default config
