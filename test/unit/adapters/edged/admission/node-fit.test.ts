import { describe, expect, test } from 'vitest'
import { misfitOf } from '../../../../../src/adapters/edged/admission/node-fit.ts'
import type {
  JsonObject,
  KubeObject,
} from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { pod } from '../pods.ts'

const NODE: KubeObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'edge-1', labels: { disk: 'ssd', slots: '4' } },
  spec: {
    taints: [
      { key: 'gone', effect: 'NoExecute' },
      { key: 'busy', effect: 'NoSchedule' },
    ],
  },
}
const TOLERANT = { tolerations: [{ key: 'gone', operator: 'Exists' }] }

function misfit(spec: JsonObject, others: readonly KubeObject[] = []): string {
  const allocatable = { cpu: '2', memory: '1Gi', pods: '2' }
  const wanted = pod({ ...TOLERANT, ...spec }, { uid: 'wanted' }).object
  const unsafeSysctls = ['net.core.somaxconn', 'kernel.msg*', 'vm.*']
  const node = { name: 'edge-1', allocatable, object: NODE, unsafeSysctls }
  const found = misfitOf(wanted, others, node)
  return found === undefined ? '' : `${found.reason}: ${found.message}`
}

function asking(cpu: string): JsonObject {
  return { containers: [{ name: 'main', image: 'x', resources: { requests: { cpu } } }] }
}

function affinity(...terms: readonly JsonObject[]): JsonObject {
  const required = { nodeSelectorTerms: terms }
  return {
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } },
  }
}

const OTHER_NODE =
  "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"

describe('whether a node takes a pod', () => {
  test('one that asks for nothing', () => {
    expect(misfit({})).toBe('')
  })

  test.each<[string, JsonObject, string]>([
    ['a safe one', { name: 'net.ipv4.tcp_syncookies' }, ''],
    ['one that was allowed', { name: 'net.core.somaxconn' }, ''],
    ['one of those that were allowed', { name: 'kernel.msgmax' }, ''],
    ['one written as a path', { name: 'kernel/shm_rmid_forced' }, ''],
    [
      'one that is not safe',
      { name: 'kernel.sem' },
      'SysctlForbidden: forbidden sysctl: "kernel.sem" not allowlisted',
    ],
    [
      'one of the whole machine, though allowed',
      { name: 'vm.swappiness' },
      'SysctlForbidden: forbidden sysctl: "vm.swappiness" not allowlisted',
    ],
  ])('a setting of the kernel: %s', (_name, sysctl, expected) => {
    expect(misfit({ securityContext: { sysctls: [{ ...sysctl, value: '1' }] } })).toBe(expected)
  })

  test('a setting of the kernel that is not its own', () => {
    const sysctls = [{ name: 'net.ipv4.tcp_syncookies', value: '1' }]
    expect(misfit({ hostNetwork: true, securityContext: { sysctls } })).toBe(
      'SysctlForbidden: forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host Net enabled',
    )
  })

  test('groups of an image that are not to count', () => {
    const securityContext = { supplementalGroupsPolicy: 'Strict' }
    expect(misfit({ securityContext })).toBe(
      'SupplementalGroupsPolicyNotSupported: SupplementalGroupsPolicy=Strict is not supported in this node',
    )
  })

  test('too little room beside those that have begun', () => {
    const begun = (uid: string) =>
      pod(asking('1500m'), { uid }, { startTime: '2026-01-01T00:00:00Z' }).object
    const waiting = pod(asking('1500m'), { uid: 'waits' }).object
    expect(misfit(asking('1'), [waiting])).toBe('')
    expect(misfit(asking('1'), [begun('a')])).toBe(
      "OutOfcpu: Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000",
    )
    expect(misfit({}, [begun('a'), begun('b')])).toMatch(/^OutOfpods: /)
  })

  test.each<[string, JsonObject, string]>([
    ['a label that it has', { nodeSelector: { disk: 'ssd' } }, ''],
    ['a label that it has not', { nodeSelector: { disk: 'none' } }, OTHER_NODE],
    [
      'one of two terms',
      affinity(
        { matchExpressions: [{ key: 'disk', operator: 'NotIn', values: ['ssd'] }] },
        { matchExpressions: [{ key: 'slots', operator: 'Gt', values: ['3'] }] },
      ),
      '',
    ],
    [
      'none of its terms',
      affinity(
        { matchExpressions: [{ key: 'slots', operator: 'Lt', values: ['4'] }] },
        { matchExpressions: [{ key: 'disk', operator: 'DoesNotExist' }] },
        {},
      ),
      OTHER_NODE,
    ],
    [
      'a node by name',
      affinity({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['edge-1'] }] }),
      '',
    ],
  ])('%s', (_name, spec, expected) => {
    expect(misfit(spec)).toBe(expected)
  })

  test('a taint that ends what does not tolerate it', () => {
    expect(misfit({ tolerations: [] })).toMatch(/^TaintToleration: /)
    expect(misfit({ tolerations: [{ operator: 'Exists' }] })).toBe('')
    expect(misfit({ tolerations: [{ key: 'gone', value: 'x' }] })).toMatch(/^TaintToleration: /)
  })
})
