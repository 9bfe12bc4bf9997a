import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { skipUnless } from '../support/skip.ts'
import { runCli, TestFleet, until } from './fleet-programs.ts'

const PORTS = ['--api-address', '127.0.0.1:0', '--sync-address', '127.0.0.1:0']
const MOUNT_REASON = 'a small file system is mounted to fill it: run as root on Linux'
const MAPS = '/api/v1/namespaces/default/configmaps'
const MIB = 1 << 20

let fleet: TestFleet
const mounts: string[] = []
beforeEach(async () => {
  fleet = await TestFleet.create()
})
afterEach(async () => {
  // Lazily: what still has files open there is stopped just after.
  for (const mount of mounts.splice(0)) execFileSync('umount', ['-l', mount])
  await fleet.close()
})

/** A small file system of its own for the data of cloudcore; false where that is not possible. */
async function mountSmall(): Promise<boolean> {
  const place = fleet.data('cloud')
  await mkdir(place)
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  try {
    const options = { stdio: 'ignore' } as const
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', place], options)
    mounts.push(place)
    return true
  } catch {
    return false
  }
}

function configMap(name: string, text = ''): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { text } }
}

test('a full disk: refused writes, nothing acknowledged lost, and it goes on when there is room', async (context) => {
  skipUnless(context, await mountSmall(), 'mount', MOUNT_REASON)
  const cloud = await fleet.startCloud()
  const edge = await fleet.joinEdge('edge-1')
  const ballast = join(fleet.data('cloud'), 'ballast')
  const api = await fleet.api('cloud')
  await writeFile(ballast, new Uint8Array(20 * MIB))

  const kept: string[] = []
  let refused:
    | { readonly status: number; readonly body: Readonly<Record<string, unknown>> }
    | undefined
  for (let i = 0; i < 400 && refused === undefined; i += 1) {
    const noise = Array.from({ length: 3_000 }, () => Math.random().toString(36)).join('')
    const answer = await api.send('POST', MAPS, configMap(`full-${i}`, noise))
    if (answer.status === 201) kept.push(`full-${i}`)
    else refused = answer
  }
  expect(refused?.status).toBe(503)
  expect(refused?.body).toMatchObject({ kind: 'Status', reason: 'ServiceUnavailable', code: 503 })
  expect(kept.length).toBeGreaterThan(5)

  // It serves what it has, to the edge too.
  const all = async (site: string): Promise<readonly string[]> => {
    const { items } = await (await fleet.api(site)).expect('GET', MAPS)
    return (items as { metadata: { name: string } }[])
      .map(({ metadata }) => metadata.name)
      .filter((name) => name.startsWith('full-'))
      .sort()
  }
  const expected = [...kept].sort()
  expect(await all('cloud')).toEqual(expected)

  await rm(ballast)
  const again = await until('a write after there is room', async () => {
    const answer = await api.send('POST', MAPS, configMap('full-again'))
    return answer.status === 201 || answer.status === 409 ? answer : undefined
  })
  expect(again.status).toBe(201)
  expected.push('full-again')
  expected.sort()
  await until('the edge to have all of it', async () => {
    return JSON.stringify(await all('edge-1')) === JSON.stringify(expected)
  })
  expect(await edge.stop()).toEqual({ code: 0, signal: null })
  await cloud.kill()
  const second = await fleet.startCloud()
  expect(await all('cloud')).toEqual(expected)
  expect(await second.stop()).toEqual({ code: 0, signal: null })
})

test('a damaged log is reported with its directory, and never served', async () => {
  const first = await fleet.startCloud()
  const api = await fleet.api('cloud')
  for (let i = 0; i < 20; i += 1) {
    await api.expect('POST', MAPS, configMap(`map-${i}`, `${Math.random()}`.repeat(50)))
  }
  await first.stop()
  const log = join(fleet.data('cloud'), 'log')
  // Opening makes a table of the newest writes.
  await (await fleet.startCloud()).stop()
  const tables = (await readdir(log)).filter((name) => name.endsWith('.ldb'))
  expect(tables.length).toBeGreaterThan(0)
  for (const name of tables) {
    const bytes = await readFile(join(log, name))
    for (let at = 100; at < bytes.length - 200; at += 97) bytes[at] = (bytes[at] ?? 0) ^ 0xff
    await writeFile(join(log, name), bytes)
  }
  const damaged = await runCli('cloudcore', ['--data', fleet.data('cloud'), ...PORTS])
  expect(damaged.code).toBe(3)
  expect(damaged.stderr).toContain('DATA_DIRECTORY_UNUSABLE')
  expect(damaged.stderr).toContain(fleet.data('cloud'))
  expect(damaged.stderr).toMatch(/STORAGE_CORRUPT|damaged|checksum|corrupt/i)
})

test('a read-only directory is reported', async (context) => {
  const canMount = await mountSmall()
  const isRoot = process.getuid?.() === 0
  skipUnless(context, canMount || !isRoot, 'mount', MOUNT_REASON)
  const place = fleet.data('cloud')
  await (await fleet.startCloud()).stop()
  if (canMount) execFileSync('mount', ['-o', 'remount,ro', place])
  else execFileSync('chmod', ['-R', 'a-w', place])
  const refused = await runCli('cloudcore', ['--data', place, ...PORTS])
  if (!canMount) execFileSync('chmod', ['-R', 'u+w', place])
  expect(refused.code).toBe(3)
  expect(refused.stderr).toContain('DATA_DIRECTORY_UNUSABLE')
  expect(refused.stderr).toContain(place)
  expect((await stat(place)).isDirectory()).toBe(true)
})

test('the directory of a cloud is refused to a node, and stays that of the cloud', async () => {
  const cloud = await fleet.startCloud()
  const token = await fleet.token('edge-1')
  await cloud.stop()
  const place = fleet.data('cloud')
  for (const command of [['join'], ['--api-address', '127.0.0.1:0']]) {
    const wrong = await runCli('edgecore', [...command, '--token', token, '--data', place])
    expect(wrong.code).toBe(3)
    expect(wrong.stderr).toContain('DATA_DIRECTORY_FOREIGN')
  }
  const again = await fleet.startCloud()
  expect(await again.stop()).toEqual({ code: 0, signal: null })
})
