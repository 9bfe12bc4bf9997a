import { BaseSequencer, type TestSequencer, type TestSpecification, type Vitest } from 'vitest/node'

/**
 * The files that take longest where they are not alone, in each room the longest first: some 20 to 100 s
 * each on two cores. One that began last would run on while the other cores are idle.
 */
export const LONG_FILES: readonly string[] = [
  'compliance/podman-runtime',
  'compliance/docker-runtime',
  'compliance/cri-runtime',
  'integration/pod-crashes',
  'integration/edgecore-engines',
  'integration/kubectl',
  'integration/demo',
  'integration/hung-runtime',
  'integration/pod-faults',
  'integration/storage-crash-replica',
  'integration/fleet',
  'integration/compaction',
  'integration/bad-directory',
  'integration/storage-damage',
].map((name) => `/test/${name}.test.ts`)

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
  const long = LONG_FILES.flatMap((end) => files.filter((file) => pathOf(file).endsWith(end)))
  const sorted = new Set<Each>()
  for (const file of files) {
    const room = roomOf(pathOf(file))
    // The first of a room brings all long ones of that room with it.
    for (const each of long) if (roomOf(pathOf(each)) === room) sorted.add(each)
    sorted.add(file)
  }
  return [...sorted]
}

/** Such as `/test/unit/`. */
function roomOf(path: string): string {
  return /^.*(\/test\/[a-z]+\/)/.exec(path)?.[1] ?? path
}
