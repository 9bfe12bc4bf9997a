import type { TestContext } from 'vitest'

/**
 * Ends the running test as skipped, with a reason that the closing report prints, unless the
 * component it needs is here.
 *
 * Where `CI` is `true`, a skip that test/support/allowed-skips.json does not list fails the run.
 *
 * @param component what is needed, such as `kubectl`
 * @param reason why it is needed and how to get it; a constant, as the reviewed list compares it
 * @example
 *   test('kubectl lists pods', async (context) => {
 *     skipUnless(context, kubectls.length > 0, 'kubectl', 'install kubectl to run this')
 *   })
 */
export function skipUnless(
  context: Pick<TestContext, 'skip'>,
  available: boolean,
  component: string,
  reason: string,
): void {
  if (!available) context.skip(`needs ${component}: ${reason}`)
}
