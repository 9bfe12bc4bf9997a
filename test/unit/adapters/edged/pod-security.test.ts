import { describe, expect, test } from 'vitest'
import { oomScoreAdjust } from '../../../../src/adapters/edged/oom-score.ts'
import {
  containerSecurity,
  ignoredSecurity,
  rootProblem,
  sandboxSecurity,
} from '../../../../src/adapters/edged/pod-security.ts'
import {
  allContainers,
  type ContainerView,
  type PodView,
} from '../../../../src/adapters/edged/pod-view.ts'
import type { JsonObject } from '../../../../src/adapters/kubernetes/objects/types.ts'
import type { ImageStatus, SecurityField } from '../../../../src/adapters/runtime/index.ts'
import { pod } from './pods.ts'

const IMAGE: ImageStatus = { id: 'sha256:1', tags: [], digests: [], sizeBytes: 1 }
const ALL: ReadonlySet<SecurityField> = new Set([
  'uid',
  'gid',
  'groups',
  'privileged',
  'readOnlyRoot',
  'noNewPrivileges',
  'addCapabilities',
  'dropCapabilities',
  'seccomp',
  'procMount',
])

const NOTHING = { security: new Set<SecurityField>(), networks: false }

function secured(ofPod: JsonObject, ofContainer: JsonObject = {}): PodView {
  return pod({
    securityContext: ofPod,
    containers: [{ name: 'main', image: 'a', securityContext: ofContainer }],
  })
}

function main(of: PodView): ContainerView {
  const found = of.containers[0]
  if (found === undefined) throw new Error('the pod has no container')
  return found
}

describe('whom a container runs as and what it may do', () => {
  test('is what its own context says, and the one of the pod where it says nothing', () => {
    const it = secured(
      {
        runAsUser: 1000,
        runAsGroup: 2000,
        fsGroup: 3000,
        supplementalGroups: [4000, 3000],
        seccompProfile: { type: 'RuntimeDefault' },
      },
      {
        runAsUser: 1001,
        privileged: false,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { add: ['NET_ADMIN', 'CAP_SYS_TIME'], drop: ['ALL'] },
        procMount: 'Unmasked',
        seccompProfile: { type: 'Localhost', localhostProfile: 'audit/a.json' },
      },
    )
    expect(containerSecurity(it, main(it), IMAGE, '/var/lib/edge')).toEqual({
      uid: 1001,
      gid: 2000,
      groups: [3000, 4000],
      readOnlyRoot: true,
      noNewPrivileges: true,
      addCapabilities: ['NET_ADMIN', 'SYS_TIME'],
      dropCapabilities: ['ALL'],
      procMount: 'Unmasked',
      seccomp: { type: 'Localhost', path: '/var/lib/edge/seccomp/audit/a.json' },
    })
    expect(sandboxSecurity(it)).toEqual({ uid: 1000, gid: 2000, groups: [3000, 4000] })
  })

  test('is what the image says where neither does', () => {
    const it = secured({})
    const uidOf = (image: ImageStatus | undefined): number | undefined =>
      containerSecurity(it, main(it), image, '/d').uid
    expect(uidOf(undefined)).toBeUndefined()
    expect(uidOf(IMAGE)).toBe(0)
    expect(uidOf({ ...IMAGE, uid: 7 })).toBe(7)
    expect(uidOf({ ...IMAGE, userName: 'app' })).toBeUndefined()
  })

  test('a sandbox is privileged when a container of it is, and has no group without a user', () => {
    const it = secured({ runAsGroup: 5 }, { privileged: true })
    expect(sandboxSecurity(it)).toEqual({ privileged: true })
    expect(containerSecurity(it, main(it), undefined, '/d')).toEqual({ gid: 5, privileged: true })
  })
})

describe('a container that must not run as root', () => {
  const where = '(pod: "web_shop(u-1)", container: main)'
  test.each<[string, JsonObject, JsonObject, ImageStatus | undefined, string | undefined]>([
    ['and need not', {}, {}, IMAGE, undefined],
    [
      'is told to',
      { runAsNonRoot: true, runAsUser: 0 },
      {},
      IMAGE,
      `container's runAsUser breaks non-root policy ${where}`,
    ],
    [
      'has an image of root',
      { runAsNonRoot: true },
      {},
      IMAGE,
      `container has runAsNonRoot and image will run as root ${where}`,
    ],
    [
      'has an image of user 0',
      { runAsNonRoot: true },
      {},
      { ...IMAGE, uid: 0 },
      `container has runAsNonRoot and image will run as root ${where}`,
    ],
    ['has an image of user 5', { runAsNonRoot: true }, {}, { ...IMAGE, uid: 5 }, undefined],
    [
      'has an image of a name',
      { runAsNonRoot: true },
      {},
      { ...IMAGE, userName: 'app' },
      `container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root ${where}`,
    ],
    [
      'has another user',
      { runAsNonRoot: true, runAsUser: 5 },
      {},
      { ...IMAGE, userName: 'app' },
      undefined,
    ],
    ['may after all', { runAsNonRoot: true }, { runAsNonRoot: false }, IMAGE, undefined],
    ['has an unknown image', { runAsNonRoot: true }, {}, undefined, undefined],
  ])('%s', (_, ofPod, ofContainer, image, problem) => {
    const it = secured(ofPod, ofContainer)
    expect(rootProblem(it, main(it), image)).toBe(problem)
  })
})

test('a process that must not run as root does not get the user of edged when that is root', () => {
  const it = secured({ runAsNonRoot: true })
  expect(rootProblem(it, main(it), undefined, 0)).toContain('will run as root')
  expect(rootProblem(it, main(it), undefined, 1000)).toBeUndefined()
  const other = secured({ runAsNonRoot: true, runAsUser: 5 })
  expect(rootProblem(other, main(other), undefined, 0)).toBeUndefined()
})

describe('what a runtime cannot do', () => {
  const it = secured(
    {
      runAsUser: 5,
      fsGroup: 6,
      seLinuxOptions: { level: 's0' },
      supplementalGroupsPolicy: 'Merge',
    },
    {
      capabilities: { drop: ['ALL'] },
      privileged: false,
      allowPrivilegeEscalation: false,
      procMount: 'Default',
    },
  )

  test('is told field by field', () => {
    const all = { security: ALL, networks: true }
    expect(ignoredSecurity(it, main(it), all)).toEqual(['seLinuxOptions'])
    const some = new Set<SecurityField>(['uid', 'dropCapabilities'])
    const told = ['allowPrivilegeEscalation', 'capabilities', 'fsGroup', 'seLinuxOptions']
    expect(ignoredSecurity(it, main(it), { security: some, networks: true })).toEqual(told)
  })

  test('is nothing for a pod that asks for nothing', () => {
    const plain = secured({ supplementalGroupsPolicy: 'Merge' }, { allowPrivilegeEscalation: true })
    expect(ignoredSecurity(plain, main(plain), NOTHING)).toEqual([])
    const sysctls = [{ name: 'kernel.msgmax', value: '1' }]
    const asking = secured({ sysctls, fsGroupChangePolicy: 'Always' })
    expect(ignoredSecurity(asking, main(asking), NOTHING)).toEqual(['sysctls'])
  })
})

describe('how willingly the kernel ends a container', () => {
  const capacityBytes = 8_000_000_000
  const asking = (
    bytes: number | undefined,
    spec: JsonObject = {},
    limits: JsonObject = {},
  ): PodView =>
    pod({
      containers: [
        {
          name: 'main',
          image: 'a',
          resources: { requests: bytes === undefined ? {} : { memory: String(bytes) }, limits },
        },
      ],
      ...spec,
    })
  test.each([
    ['asks for nothing', asking(undefined), 1000],
    ['asks for half', asking(4_000_000_000), 500],
    ['asks for a tenth', asking(800_000_000), 900],
    ['asks for next to nothing', asking(1), 999],
    ['asks for all', asking(8_000_000_000), 3],
    ['asks for more than there is', asking(9_000_000_000), 3],
    ['is limited only', asking(undefined, {}, { memory: '4000000000' }), 500],
    ['is critical', asking(undefined, { priorityClassName: 'system-node-critical' }), -997],
  ])('that %s', (_, of, score) => {
    expect(oomScoreAdjust(of, main(of), capacityBytes)).toBe(score)
  })

  test('of a guaranteed pod', () => {
    const resources = { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } }
    const of = pod({ containers: [{ name: 'main', image: 'a', resources }] })
    expect(oomScoreAdjust(of, main(of), capacityBytes)).toBe(-997)
  })

  test('that serves others is no higher than theirs', () => {
    const of = pod({
      initContainers: [{ name: 'side', image: 'a', restartPolicy: 'Always' }],
      containers: [{ name: 'main', image: 'a', resources: { requests: { memory: '4000000000' } } }],
    })
    const scores = allContainers(of).map((each) => oomScoreAdjust(of, each, capacityBytes))
    expect(scores).toEqual([500, 500])
  })
})
