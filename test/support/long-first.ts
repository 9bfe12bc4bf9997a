import { BaseSequencer, type TestSequencer, type TestSpecification, type Vitest } from 'vitest/node'

const ROOM = '/test/integration/'

/**
 * The files that take longest where they are not alone, the longest first: some 20 to 50 s each on two
 * cores. One that began last would run on while the other core is idle.
 */
export const LONG_FILES: readonly string[] = [
  'kubectl',
  'demo',
  'storage-crash-replica',
  'fleet',
  'compaction',
  'bad-directory',
  'storage-damage',
].map((name) => `${ROOM}${name}.test.ts`)

/**
 * The order of Vitest, but for files that are known to be long: they begin before the others of their
 * room. Vitest alone knows that only after a first run on the same machine.
 */
export class LongFirst implements TestSequencer {
  readonly #base: BaseSequencer

  constructor(vitest: Vitest) {
    this.#base = new BaseSequencer(vitest)
  }

  shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    return this.#base.shard(files)
  }

  async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await this.#base.sort(files)
    return longFirst(sorted, (file) => file.moduleId)
  }
}

/** Moves the long ones, longest first, to where the first file of their room stands. */
export function longFirst<Each>(files: readonly Each[], pathOf: (file: Each) => string): Each[] {
  const rank = (file: Each): number => LONG_FILES.findIndex((end) => pathOf(file).endsWith(end))
  const long = files.filter((file) => rank(file) >= 0).sort((a, b) => rank(a) - rank(b))
  const others = files.filter((file) => rank(file) < 0)
  const first = others.findIndex((file) => pathOf(file).includes(ROOM))
  const at = first < 0 ? others.length : first
  return [...others.slice(0, at), ...long, ...others.slice(at)]
}
