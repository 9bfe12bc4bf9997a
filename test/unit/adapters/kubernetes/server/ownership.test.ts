import { expect, test } from 'vitest'
import type { Json, KubeObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import type { RequestContext } from '../../../../../src/adapters/kubernetes/server/context.ts'
import { ownedByCreator } from '../../../../../src/adapters/kubernetes/server/ownership.ts'
import { structType } from '../../../../../src/adapters/kubernetes/server/schema/schema.ts'
import { systemClock } from '../../../../../src/index.ts'

/** About as many as a body has room for at half its size. */
const COUNT = 60_000

const names = Array.from({ length: COUNT }, (_, index) => `tideway.example/n${index}`)
const [context, elsewhere] = ['pods', 'bindings'].map(
  (id) =>
    ({
      resource: { id },
      served: { group: '', version: 'v1', type: structType('core.Pod') },
      options: { manager: 'test' },
      clock: systemClock,
    }) as unknown as RequestContext,
)

function pod(finalizers: readonly string[], volumes: readonly Json[]): KubeObject {
  const spec = { containers: [{ name: 'c' }], volumes }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', finalizers }, spec }
}

function cpuMsOf(at: RequestContext | undefined, given: KubeObject): number {
  if (at === undefined) throw new Error('no context')
  const before = process.cpuUsage()
  const { managedFields } = ownedByCreator(at, given, structuredClone(given)).metadata
  const { user, system } = process.cpuUsage(before)
  expect(managedFields).toHaveLength(1)
  return (user + system) / 1_000
}

test('who owns what of a large pod is found out in its share of time', () => {
  const volumes = names.map((name) => ({ name }))
  const plain = cpuMsOf(elsewhere, pod([], volumes))
  // Each was looked for among all, which took ten times as long as all the rest.
  expect(cpuMsOf(context, pod([], volumes)) / plain).toBeLessThan(4)
  expect(cpuMsOf(context, pod(names, [])) / plain).toBeLessThan(4)
}, 120_000)
