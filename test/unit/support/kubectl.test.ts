import { expect, test } from 'vitest'
import { findKubectls, KUBECTL_HINT, newestKubectl } from '../../support/kubectl.ts'
import { skipUnless } from '../../support/skip.ts'

test('every kubectl found is a supported one, oldest first, each minor version once', async (context) => {
  const kubectls = await findKubectls()
  skipUnless(context, kubectls.length > 0, 'kubectl', KUBECTL_HINT)
  const minors = kubectls.map(({ version }) => Number(version.split('.')[1]))
  expect(minors).toEqual([...new Set(minors)].sort((a, b) => a - b))
  expect(minors.every((minor) => minor >= 29 && minor <= 36)).toBe(true)
  expect(await newestKubectl()).toBe(kubectls.at(-1))
})
