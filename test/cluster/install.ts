/**
 * Installs programs ahead of the tests that want them, with a line about each thing that is done. Ends
 * well where that is not possible: those tests are then skipped, by name and counted.
 *
 * @param name stands before each line.
 * @param tests what is skipped without the programs, such as `the tests that need a kubelet`.
 * @param limitMs after which it is given up.
 */
export async function installForTests(
  name: string,
  tests: string,
  limitMs: number,
  install: (tell: (line: string) => void, signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const tell = (line: string): void => console.warn(`${name}: ${line}`)
  try {
    await install(tell, AbortSignal.timeout(limitMs))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    tell(`NOT INSTALLED: ${why}`)
    tell(`${tests} will be skipped`)
  }
}
