import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { PodLimits, SandboxSpec } from '../../../../src/adapters/runtime/index.ts'
import { setPodLimits } from '../../../../src/adapters/runtime/pod-cgroup.ts'
import { cgroupsV1 } from '../../../../src/adapters/runtime/process/cgroup-v1.ts'
import { cgroupsV2 } from '../../../../src/adapters/runtime/process/cgroup-v2.ts'
import { PodGroups } from '../../../../src/adapters/runtime/process/pod-groups.ts'
import { cpuSettings } from '../../../../src/adapters/runtime/split-cgroup.ts'
import { changedSettings, settingsOf } from '../../../../src/adapters/runtime/unified-cgroup.ts'

test.each([
  [{}, []],
  [{ memoryBytes: 1024 }, ['memory.max=1024', 'memory.swap.max=0']],
  [{ cpuMillis: 250 }, ['cpu.max=25000 100000']],
  [{ cpuMillis: 1 }, ['cpu.max=1000 100000']],
  [{ cpuRequestMillis: 1000 }, ['cpu.weight=39']],
  [{ cpuRequestMillis: 0 }, ['cpu.weight=1']],
  [{ cpuRequestMillis: 1_000_000 }, ['cpu.weight=10000']],
])('limits %j in cgroup version 2', (limits, expected) => {
  expect(settingsOf(limits).map(({ file, value }) => `${file}=${value}`)).toEqual(expected)
})

test.each([
  [{}, ['cpu.cfs_quota_us=-1', 'cpu.shares=1024']],
  [
    { cpuMillis: 250, cpuRequestMillis: 100 },
    ['cpu.cfs_period_us=100000', 'cpu.cfs_quota_us=25000', 'cpu.shares=102'],
  ],
])('changed limits %j of the CPU in cgroup version 1', (limits, expected) => {
  expect(cpuSettings(limits).map(({ file, value }) => `${file}=${value}`)).toEqual(expected)
})

test.each([
  [{}, ['memory.max=max', 'memory.swap.max=max', 'cpu.max=max 100000', 'cpu.weight=100']],
  [
    { memoryBytes: 1024, cpuMillis: 250, cpuRequestMillis: 1000 },
    ['memory.max=1024', 'memory.swap.max=0', 'cpu.max=25000 100000', 'cpu.weight=39'],
  ],
])('changed limits %j in cgroup version 2', (limits, expected) => {
  expect(changedSettings(limits).map(({ file, value }) => `${file}=${value}`)).toEqual(expected)
})

let mount = ''
beforeEach(async () => {
  mount = await mkdtemp(join(tmpdir(), 'tideway-cgroup-'))
})
afterEach(() => rm(mount, { recursive: true, force: true }))

const read = (...path: string[]): Promise<string> => readFile(join(mount, ...path), 'utf8')

test('version 2 refuses less memory than is in use, and writes nothing', async () => {
  const cgroups = await cgroupsV2(mount, 'pods')
  await cgroups.create('a', { memoryBytes: 1000 })
  await writeFile(join(mount, 'pods', 'a', 'memory.current'), '900\n')
  await writeFile(join(mount, 'pods', 'a', 'memory.stat'), 'inactive_file 100\n')
  const before = { memoryBytes: 1000 }
  await expect(cgroups.update('a', { memoryBytes: 799 }, before)).rejects.toThrow('800 bytes')
  await expect(cgroups.update('a', { memoryBytes: 800 }, before)).resolves.toBeUndefined()
})

test('version 1 gives a container that had none a group with its processes in it', async () => {
  const names = ['freezer', 'pids', 'memory', 'cpu'] as const
  const cgroups = cgroupsV1(new Map(names.map((name) => [name, join(mount, name)])), 'pods')
  const files = await cgroups.create('a', {})
  expect(files.map((file) => file.split('/').at(-4))).toEqual(['freezer', 'pids', 'memory'])
  for (const name of ['freezer', 'memory'])
    await writeFile(join(mount, name, 'pods', 'a', 'cgroup.procs'), '4711\n')
  await cgroups.update('a', { memoryBytes: 4096, cpuMillis: 500 }, {})
  expect(await read('memory', 'pods', 'a', 'memory.limit_in_bytes')).toBe('4096')
  expect(await read('cpu', 'pods', 'a', 'cpu.cfs_quota_us')).toBe('50000')
  expect(await read('cpu', 'pods', 'a', 'cgroup.procs')).toBe('4711')
  await cgroups.update('a', {}, {})
  expect(await read('memory', 'pods', 'a', 'memory.limit_in_bytes')).toBe('-1')
  expect(await read('cpu', 'pods', 'a', 'cpu.cfs_quota_us')).toBe('-1')
})

test('limits that are refused are put back', async () => {
  const names = ['freezer', 'memory', 'cpu'] as const
  const cgroups = cgroupsV1(new Map(names.map((name) => [name, join(mount, name)])), 'pods')
  const before = { memoryBytes: 4096, cpuMillis: 100 }
  await cgroups.create('a', before)
  // A directory cannot be written: that is what a refusal looks like here.
  await mkdir(join(mount, 'cpu', 'pods', 'a', 'cpu.shares'))
  const wanted = { memoryBytes: 8192, cpuMillis: 200 }
  await expect(cgroups.update('a', wanted, before)).rejects.toThrow('EISDIR')
  expect(await read('memory', 'pods', 'a', 'memory.limit_in_bytes')).toBe('4096')
  expect(await read('cpu', 'pods', 'a', 'cpu.cfs_quota_us')).toBe('10000')
})

const CONTROLLERS = 'memory cpu pids\n'
/** Groups of version 2 as the kernel has them where nothing was handed down yet. */
async function freshGroups(...groups: readonly string[]): Promise<void> {
  for (const group of ['', ...groups]) {
    await mkdir(join(mount, group), { recursive: true })
    await writeFile(join(mount, group, 'cgroup.controllers'), CONTROLLERS)
  }
}

test('the first pod of a machine has its limits in version 2: all groups above hand them down', async () => {
  await freshGroups('pods', 'pods/podA')
  await setPodLimits('/pods/podA', { memoryBytes: 4096, processes: 20 }, mount)
  for (const group of ['', 'pods', 'pods/podA'])
    expect(await read(group, 'cgroup.subtree_control')).toBe('+pids')
  expect(await read('pods', 'podA', 'memory.max')).toBe('4096')
  expect(await read('pods', 'podA', 'pids.max')).toBe('20')
})

test('a limit that version 2 cannot keep is refused, a share that it cannot give is not', async () => {
  await freshGroups('pods', 'pods/podA')
  // What leads nowhere cannot be written: as a file of a controller that was not handed down.
  for (const file of ['memory.max', 'cpu.max', 'cpu.weight'])
    await symlink(join(mount, 'nowhere', file), join(mount, 'pods', 'podA', file))
  const limit = (limits: PodLimits): Promise<void> => setPodLimits('/pods/podA', limits, mount)
  await expect(limit({ memoryBytes: 4096 })).rejects.toThrow('ENOENT')
  await expect(limit({ cpuMillis: 100 })).rejects.toThrow('ENOENT')
  await expect(limit({ cpuRequestMillis: 100, processes: 5 })).resolves.toBeUndefined()
})

test('the groups of containers are in that of a pod only where pods can be limited', () => {
  const about = { namespace: 'default', name: 'a', uid: 'A', hostname: 'a', directory: mount }
  const sandbox: SandboxSpec = { ...about, limits: { processes: 20 } }
  const placeOf = (isSupported: boolean, spec: SandboxSpec): string => {
    const pods = new PodGroups('pods', isSupported)
    pods.adopt('main', spec)
    return pods.place('main')
  }
  expect(placeOf(true, sandbox)).toBe('podA/main')
  expect(placeOf(true, { ...about, limits: { cpuRequestMillis: 10 } })).toBe('main')
  expect(placeOf(false, sandbox)).toBe('main')
})
