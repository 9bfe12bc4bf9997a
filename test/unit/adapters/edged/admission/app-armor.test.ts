import { expect, test } from 'vitest'
import { asksForAppArmor } from '../../../../../src/adapters/edged/admission/app-armor.ts'
import { misfitOf } from '../../../../../src/adapters/edged/admission/node-fit.ts'

const NOTE = 'container.apparmor.security.beta.kubernetes.io/main'
const profile = (type: string) => ({ securityContext: { appArmorProfile: { type } } })

const of = (spec: object, annotations: Readonly<Record<string, string>> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'u', annotations },
  spec: { nodeName: 'edge-1', containers: [{ name: 'main' }], ...spec },
})

test.each([
  [{}, {}, false],
  [profile('Unconfined'), {}, false],
  [profile('RuntimeDefault'), {}, true],
  [{ containers: [{ name: 'main', ...profile('Localhost') }] }, {}, true],
  [{ initContainers: [{ name: 'first', ...profile('RuntimeDefault') }] }, {}, true],
  [{}, { [NOTE]: 'unconfined' }, false],
  [{}, { [NOTE]: 'runtime/default' }, true],
])('%j with %j asks for a profile: %j', (spec, annotations, expected) => {
  expect(asksForAppArmor(of(spec, annotations))).toBe(expected)
})

test('a pod that asks for one is refused only where nobody would enforce it', () => {
  const node = { name: 'edge-1', allocatable: { pods: '9' }, object: undefined }
  const pod = of(profile('RuntimeDefault'))
  expect(misfitOf(pod, [], { ...node, hasAppArmor: true })).toBeUndefined()
  expect(misfitOf(pod, [], { ...node, hasAppArmor: false })).toMatchObject({ reason: 'AppArmor' })
})

test('a pod that was just taken counts before it says that it has begun', () => {
  const node = { name: 'edge-1', allocatable: { pods: '9', cpu: '1' }, object: undefined }
  const big = { containers: [{ name: 'main', resources: { requests: { cpu: '700m' } } }] }
  const [first, second] = [{ ...of(big) }, of(big)]
  first.metadata = { ...first.metadata, name: 'first', uid: 'first' }
  expect(misfitOf(second, [first, second], node)).toBeUndefined()
  const taken = new Set(['first'])
  expect(misfitOf(second, [first, second], { ...node, taken })).toMatchObject({
    reason: 'OutOfcpu',
  })
})
