import { appendFile, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { LogCopy } from '../../../../../src/adapters/runtime/engine/log-copy.ts'
import { consoleLogger, systemClock } from '../../../../../src/system.ts'

let folder: string
let source: string
let log: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'log-copy-'))
  source = join(folder, 'source.log')
  log = join(folder, 'logs', 'main.log')
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

function entry(number: number, text = `line ${number}\n`, stream = 'stdout'): string {
  const time = `2026-01-02T03:04:05.${String(number).padStart(9, '0')}Z`
  return `${JSON.stringify({ log: text, stream, time })}\n`
}

function entries(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => entry(from + index)).join('')
}

function copy(fileBytesMax = 1_000_000): LogCopy {
  const limits = { fileBytesMax, filesMax: 3 }
  const logger = consoleLogger('silent')
  return new LogCopy({ sourcePath: source, logPath: log, limits, clock: systemClock, logger })
}

async function numbers(): Promise<readonly number[]> {
  const text = await readFile(log, 'utf8')
  return [...text.matchAll(/ line (\d+)$/gm)].map(([, number]) => Number(number))
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

test('entries are in CRI format, parts of lines marked as such', async () => {
  await writeFile(
    source,
    entry(1) + entry(2, 'part') + entry(3, ' end\n', 'stderr') + entry(4, 'x'),
  )
  await copy().finish()
  expect(await readFile(log, 'utf8')).toBe(
    [
      '2026-01-02T03:04:05.000000001Z stdout F line 1',
      '2026-01-02T03:04:05.000000002Z stdout P part',
      '2026-01-02T03:04:05.000000003Z stderr F  end',
      '2026-01-02T03:04:05.000000004Z stdout P x',
      '',
    ].join('\n'),
  )
})

test('the next copy goes on where the last one stopped, also in the middle of a line', async () => {
  await writeFile(source, entries(0, 100))
  await copy().finish()
  await appendFile(source, entries(100, 200))
  // Its writer died in the middle of line 99.
  const text = await readFile(log, 'utf8')
  await writeFile(log, text.slice(0, -5))
  await copy().finish()
  expect(await numbers()).toEqual(range(0, 200))
})

test('what is moved aside while it is copied is read to its end', async () => {
  await writeFile(source, entries(0, 10))
  const following = copy()
  onTestFinished(() => following.close())
  following.start()
  for (let round = 1; round < 30; round += 1) {
    await appendFile(source, entries(round * 10, round * 10 + 5))
    await rename(source, `${source}.1`)
    await appendFile(`${source}.1`, entries(round * 10 + 5, round * 10 + 10))
    await writeFile(source, '')
    // Docker keeps two files that were moved: one more between two looks would be lost.
    while ((await numbers().catch(() => [])).at(-1) !== round * 10 + 9) {
      await new Promise((resolve) => {
        setTimeout(resolve, 5)
      })
    }
  }
  await following.finish()
  expect(await numbers()).toEqual(range(0, 300))
})

test('what was moved aside while nobody copied is found, the oldest first', async () => {
  await writeFile(source, entries(0, 10))
  await copy().finish()
  await appendFile(source, entries(10, 20))
  await rename(source, `${source}.2`)
  await writeFile(`${source}.1`, entries(20, 30))
  await writeFile(source, entries(30, 40))
  await copy().finish()
  expect(await numbers()).toEqual(range(0, 40))
})

test('where the last line is gone, what is newer is copied', async () => {
  await writeFile(source, entries(0, 10))
  await copy().finish()
  await writeFile(source, entries(30, 40))
  await copy().finish()
  expect(await numbers()).toEqual([...range(0, 10), ...range(30, 40)])
})

test('a log is rotated at its size, and goes on after what was moved', async () => {
  const all = range(0, 200)
  for (const number of all) {
    await appendFile(source, entry(number))
    if (number % 20 === 19) await copy(1_000).finish()
  }
  const names = (await readdir(join(folder, 'logs'))).sort()
  expect(names.filter((name) => /^main\.log\.\d{8}-\d{6}\.\d{3}$/.test(name))).toHaveLength(2)
  const texts = await Promise.all(
    names.map((name) => readFile(join(folder, 'logs', name), 'utf8').catch(() => '')),
  )
  const found = texts
    .join('')
    .split('\n')
    .flatMap((line) => / line (\d+)$/.exec(line)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
  expect(found).toEqual(all.slice(-found.length))
  expect(new Set(found).size).toBe(found.length)
})

test('a source that is not there gives nothing', async () => {
  const none = copy()
  none.start()
  await none.finish()
  await expect(readFile(log)).rejects.toThrow('ENOENT')
})
