import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AuditFile } from '../../../examples/shared/audit-file.ts'
import { auditSettings, openAuditLog } from '../../../examples/shared/audit-log.ts'
import { Teardown } from '../../../examples/shared/lifetime.ts'
import { consoleLogger } from '../../../src/index.ts'

const logger = consoleLogger('silent')
const FOR_EVER = { backupsMax: 0, daysMax: 0 }
let folder = ''
let path = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audit-'))
  path = join(folder, 'audit.log')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** The lines of every file, the oldest first, and how long each file is. */
async function kept(): Promise<{ readonly lines: readonly string[]; readonly sizes: number[] }> {
  const names = (await readdir(folder)).sort()
  // The one that is written to is the newest, and the first by its name.
  const texts = await Promise.all(
    [...names.filter((name) => name !== 'audit.log'), 'audit.log'].map((name) =>
      readFile(join(folder, name), 'utf8'),
    ),
  )
  const lines = texts.flatMap((text) => text.split('\n').slice(0, -1))
  return { lines, sizes: texts.map((text) => text.length) }
}

test('a full file is put aside, and no line is lost or cut', async () => {
  const file = new AuditFile(path, { bytesMax: 1_000, ...FOR_EVER }, logger)
  const lines = Array.from({ length: 200 }, (_, n) => `line ${n} ${'x'.repeat(90)}`)
  for (const [index, line] of lines.entries()) {
    file.write(line)
    // What waits for the disk is written at once: some of it has to be there first.
    if (index % 20 === 19)
      await expect.poll(async () => (await kept()).lines.length).toBe(index + 1)
  }
  await file.close()
  const found = await kept()
  expect(found.lines).toEqual(lines)
  expect(found.sizes.length).toBeGreaterThan(2)
  const names = (await readdir(folder)).filter((name) => name !== 'audit.log')
  for (const name of names)
    expect(name).toMatch(/^audit-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log$/)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})

test('lines that come faster than they are written are all there, in order', async () => {
  const file = new AuditFile(path, { bytesMax: 1_000, ...FOR_EVER }, logger)
  const lines = Array.from({ length: 500 }, (_, n) => `line ${n}`)
  for (const line of lines) file.write(line)
  await file.close()
  expect((await kept()).lines).toEqual(lines)
})

test('what was put aside goes by number and by age, and nothing else does', async () => {
  const days = (ago: number): string =>
    new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 23).replaceAll(':', '-')
  const name = (ago: number): string => `audit-${days(ago)}.log`
  const [newest, second, third, aged] = [name(1), name(2), name(3), name(40)]
  for (const each of [newest, second, third, aged, 'audit-notes.log', 'other.log'])
    await writeFile(join(folder, each), '')
  const all = new AuditFile(path, { bytesMax: 1_000, backupsMax: 0, daysMax: 30 }, logger)
  await all.close()
  const rest = ['audit-notes.log', 'audit.log', 'other.log']
  expect((await readdir(folder)).sort()).toEqual([newest, second, third, ...rest].sort())
  const few = new AuditFile(path, { bytesMax: 1_000, backupsMax: 2, daysMax: 0 }, logger)
  await few.close()
  expect((await readdir(folder)).sort()).toEqual([newest, second, ...rest].sort())
})

test('a file that was moved away is begun anew after SIGHUP', async () => {
  const teardown = new Teardown(logger)
  const settings = {
    auditLog: path,
    auditLogMaxsize: 1,
    auditLogMaxbackup: 0,
    auditLogMaxage: 0,
  }
  const sink = openAuditLog(settings, logger, teardown)
  sink?.({ n: 1 })
  await rename(path, join(folder, 'moved'))
  process.emit('SIGHUP', 'SIGHUP')
  sink?.({ n: 2 })
  await teardown.close()
  expect(await readFile(join(folder, 'moved'), 'utf8')).toBe('{"n":1}\n')
  expect(await readFile(path, 'utf8')).toBe('{"n":2}\n')
  expect(process.listenerCount('SIGHUP')).toBe(0)
})

test('a file that cannot be written is told, and is tried again when asked', async () => {
  const missing = join(folder, 'not', 'there.log')
  const said: string[] = []
  const file = new AuditFile(
    missing,
    { bytesMax: 1_000, ...FOR_EVER },
    { ...logger, error: (message) => said.push(message), warn: () => undefined },
  )
  file.write('lost')
  expect(said).toEqual(['the audit log cannot be written'])
  file.reopen()
  expect(said.length).toBe(2)
  await file.close()
})

test('settings are whole numbers in their ranges', () => {
  const { auditLogMaxsize, auditLogMaxbackup, auditLogMaxage } = auditSettings
  expect(['1', '100', '0', '-1', '1.5', 'x', '2000000'].map(auditLogMaxsize.parse)).toEqual([
    ...[1, 100],
    ...[undefined, undefined, undefined, undefined, undefined],
  ])
  expect([auditLogMaxbackup.parse('0'), auditLogMaxage.parse('30')]).toEqual([0, 30])
  expect(auditLogMaxsize.fallback()).toBe(100)
})
