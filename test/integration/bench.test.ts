import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { decodeChange, init, loadIncremental } from '@automerge/automerge'
import { nodeSha256 } from 'tideway/node'
import { expect, test } from 'vitest'
import { actorOf, firstEvents, markOf, statusEvents } from '../../bench/sync/load/events.ts'
import { FrameReader, frameHead } from '../../bench/sync/pipe/frames.ts'
import type { Report } from '../../bench/sync/readable.ts'
import { readEvent } from '../../src/core/log/event.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The figures that a row promises for each of its systems. */
const PROMISED: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  reconnect: {
    tideway: ['bytes', 'messages', 'roundTrips', 'ms', 'cpuMs'],
    'automerge-repo': ['bytes', 'messages', 'roundTrips', 'ms', 'cpuMs'],
    hocuspocus: ['bytes', 'messages', 'roundTrips', 'ms', 'cpuMs'],
  },
  live: {
    tideway: [
      'p50Ms',
      'p99Ms',
      'rawP50Ms',
      'oneSyncP50Ms',
      'roundTripP50Ms',
      'cloudCpuUsPerEvent',
      'diskBytes',
      'wireBytes',
    ],
    'automerge-repo': ['p50Ms', 'p99Ms'],
    hocuspocus: ['p50Ms', 'p99Ms'],
  },
  bundle: { tideway: ['gzipKB', 'minifiedKB'] },
}

test('the quick form of the table has every figure that it promises', async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--import',
      'tsx',
      'bench/main.ts',
      'sync',
      '--quick',
      '--json',
      '--only',
      'reconnect,live,bundle',
    ],
    { cwd: ROOT },
  )
  const report = JSON.parse(stdout) as Report
  expect(report).toMatchObject({ benchmark: 'sync', quick: true })
  expect(report.machine.cores).toBeGreaterThan(0)
  expect(report.versions).toMatchObject({ '@automerge/automerge-repo': '2.5.6' })
  const names = report.rows.map(({ row }) => row)
  expect(names).toEqual(['reconnect', 'live', 'bundle'])
  for (const [name, systems] of Object.entries(PROMISED)) {
    const row = report.rows.find((one) => one.row === name)
    for (const [system, figures] of Object.entries(systems)) {
      for (const figure of figures) {
        const value = row?.systems[system]?.[figure]
        expect(value, `${name} ${system} ${figure}`).toSatisfy(isPlausible)
      }
    }
  }
  for (const { row, checks, runs } of report.rows) {
    expect(runs).toBe(1)
    for (const { name, value } of checks) expect(value, `${row} ${name}`).toSatisfy(isPlausible)
  }
  // What does not depend on the machine: the bytes of so small a reconnect.
  const reconnect = report.rows.find(({ row }) => row === 'reconnect')
  expect(reconnect?.systems['tideway']?.['bytes']).toBeLessThan(2_000)
}, 110_000)

test('a row that is not there is refused with the names of those that are', async () => {
  const args = ['--import', 'tsx', 'bench/main.ts', 'sync', '--only', 'nothing']
  const run = promisify(execFile)(process.execPath, args, { cwd: ROOT })
  await expect(run).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('fan-in') })
})

test('the events of the load are what Automerge makes', () => {
  const sha256 = nodeSha256()
  const make = firstEvents(actorOf(7))
  const [one, two] = [make(markOf(1)), make(markOf(36 ** 5))]
  expect(readEvent(one, sha256)).toMatchObject({ actor: actorOf(7), sequence: 1 })
  expect(readEvent(two, sha256).hash).not.toBe(readEvent(one, sha256).hash)
  expect(decodeChange(one).hash).toBe(readEvent(one, sha256).hash)
  const doc = loadIncremental(init<{ message: unknown; count: number }>(), two)
  expect(String(doc.message)).toBe(`probe ${markOf(36 ** 5)} passed`)
  const life = statusEvents(actorOf(8), 5)
  expect(life.map((event) => readEvent(event, sha256).sequence)).toEqual([1, 2, 3, 4, 5])
})

test('frames come out of a pipe as they went in, wherever the stream is cut', () => {
  const bytes = Buffer.concat([
    frameHead('open', 1, 3),
    Buffer.from('abc'),
    frameHead('message', 70_000, 0),
    frameHead('close', 2, 1),
    Buffer.from('x'),
  ])
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const reader = new FrameReader()
    const frames = [...reader.read(bytes.subarray(0, cut)), ...reader.read(bytes.subarray(cut))]
    expect(frames.map(({ type, connection }) => [type, connection])).toEqual([
      ['open', 1],
      ['message', 70_000],
      ['close', 2],
    ])
    expect(Buffer.from(frames[0]?.bytes ?? []).toString()).toBe('abc')
  }
})

function isPlausible(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value > 0
}
