import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import {
  allProcesses,
  familyOf,
  isAlive,
  type ProcessRow,
  parsePs,
  parseStat,
  processOf,
  startOf,
} from '../../../../src/adapters/runtime/process-table.ts'

test('a name with spaces and parentheses does not shift the fields of /proc/PID/stat', () => {
  const rest = 'S 1 42 43 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 98765 0 0'
  expect(parseStat(`41 (a b) c) ${rest}`)).toEqual({
    pid: 41,
    parent: 1,
    group: 42,
    session: 43,
    state: 'S',
    start: '98765',
  })
  expect(parseStat('nonsense')).toBeUndefined()
})

test('a line of ps is read with a start time that holds spaces', () => {
  expect(parsePs('  501   1   501 Ss   Mon Nov 23 10:11:12 2026    ')).toEqual({
    pid: 501,
    parent: 1,
    group: 501,
    session: 0,
    state: 'S',
    start: 'Mon Nov 23 10:11:12 2026',
  })
  expect(parsePs('PID PPID')).toBeUndefined()
})

describe('a family', () => {
  const row = (pid: number, parent: number, group: number, session: number): ProcessRow => ({
    pid,
    parent,
    group,
    session,
    state: 'S',
    start: String(pid),
  })
  const rows = [
    row(1, 0, 1, 1),
    row(10, 1, 10, 10),
    row(11, 10, 10, 10),
    // It left the group and the session, but is still a child.
    row(12, 11, 12, 12),
    row(13, 12, 12, 12),
    // Its parent has ended, but its group tells.
    row(14, 1, 10, 10),
    // It left everything.
    row(15, 1, 15, 15),
    row(20, 1, 20, 20),
  ]
  const pids = (known?: ReadonlyMap<number, string>) =>
    familyOf(10, rows, known)
      .map((each) => each.pid)
      .sort((a, b) => a - b)

  test('is descendants, group and session', () => {
    expect(pids()).toEqual([10, 11, 12, 13, 14])
  })

  test('holds those that were known before, unless the pid is another process now', () => {
    expect(pids(new Map([[15, '15']]))).toContain(15)
    expect(pids(new Map([[20, 'earlier']]))).not.toContain(20)
  })
})

test('a process lives under its pid and start time until it ends', async () => {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
  const row = await processOf(child.pid ?? 0)
  const start = row?.start ?? ''
  expect(row).toMatchObject({ pid: child.pid, parent: process.pid })
  expect((await allProcesses()).map((each) => each.pid)).toContain(child.pid)
  expect(await isAlive(child.pid ?? 0, start)).toBe(true)
  expect(await isAlive(child.pid ?? 0, `${start}0`)).toBe(false)
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
  expect(await isAlive(child.pid ?? 0, start)).toBe(false)
})

test('many who look at once need few files, and a failed look is no sign that all are gone', async () => {
  const source = new URL('../../../../src/adapters/runtime/process-table.ts', import.meta.url)
  const script = `
    import { openSync } from 'node:fs'
    import { allProcesses, processesWith } from ${JSON.stringify(source.href)}
    const variable = 'TIDEWAY_LOOKED_FOR=here'
    const all = Array.from({ length: 200 }, () => [allProcesses(), processesWith(variable)])
    const found = await Promise.all(all.flat())
    const sees = found.every((rows) => rows.some((row) => row.pid === process.pid))
    try {
      for (;;) openSync('/proc/self/stat')
    } catch {}
    const failure = await allProcesses().then(() => 'none', (error) => error.code)
    console.log(JSON.stringify({ sees, failure }))
  `
  const command = 'ulimit -n 160; exec "$@"'
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', script]
  const child = spawn('/bin/sh', ['-c', command, 'sh', ...node], {
    env: { ...process.env, TIDEWAY_LOOKED_FOR: 'here' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  await once(child, 'close')
  expect(JSON.parse(said)).toEqual({ sees: true, failure: 'EMFILE' })
  // It compiles what it imports anew, on a machine that may be busy.
}, 60_000)

test('nobody has to fear a question for the start of a process that cannot be answered', async () => {
  // No file has such a name, which is as far from an answer as no file that can be opened.
  const pid = '1\0' as unknown as number
  await expect(processOf(pid)).rejects.toThrow()
  expect(await startOf(pid)).toBeUndefined()
  expect(await startOf(process.pid)).toBe((await processOf(process.pid))?.start)
})
