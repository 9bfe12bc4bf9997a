import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { levelStorage } from '../../src/adapters/storage/level/index.ts'
import type { Storage, StoredRecord } from '../../src/core/interfaces/storage.ts'
import { bundledProgram } from '../support/bundled-program.ts'

const KILLS = 30
const WRITER = fileURLToPath(new URL('storage-crash-writer.ts', import.meta.url))

const writers: Writer[] = []

type Writer = ChildProcessByStdio<Writable, Readable, null>

/** One append that the writer was told is durable. */
interface Acknowledged {
  readonly serial: string
  readonly first: number
  readonly last: number
}

describe('level storage under kill -9', () => {
  let directory: string
  let program: string
  beforeAll(async () => {
    program = await bundledProgram(WRITER)
    directory = await mkdtemp(join(tmpdir(), 'tideway-crash-'))
  })
  afterAll(async () => {
    // Only after a failure is one of them still alive.
    for (const writer of writers) writer.kill('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  })

  test(`keeps every acknowledged append through ${KILLS} kills`, async () => {
    const acknowledged: Acknowledged[] = []
    let next = start(program, directory, 0)
    for (let life = 0; life < KILLS; life++) {
      const writer = next
      if (life + 1 < KILLS) next = start(program, directory, life + 1)
      acknowledged.push(...(await killAfter(writer, 3 + ((life * 37) % 90))))
      const storage = await levelStorage({ directory })
      await checkLog(storage, acknowledged)
      await storage.close()
    }
    expect(acknowledged.length).toBeGreaterThan(KILLS)
  })
})

function start(program: string, directory: string, life: number): Writer {
  const args = [program, directory, String(life)]
  const writer = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  writers.push(writer)
  return writer
}

// Lets a writer append until it has told of `count`, and kills it wherever it then is.
async function killAfter(writer: Writer, count: number): Promise<readonly Acknowledged[]> {
  const acknowledged: Acknowledged[] = []
  const exit = once(writer, 'exit')
  writer.stdin.write('go\n')
  for await (const line of createInterface({ input: writer.stdout })) {
    const [serial = '', first, last] = line.split(' ')
    if (serial === 'open' || last === undefined) continue
    acknowledged.push({ serial, first: Number(first), last: Number(last) })
    if (acknowledged.length === count) writer.kill('SIGKILL')
  }
  const [, signal] = await exit
  expect(signal).toBe('SIGKILL')
  return acknowledged
}

async function checkLog(storage: Storage, acknowledged: readonly Acknowledged[]): Promise<void> {
  const head = await storage.head()
  const { records } = await storage.read({ after: 0, bytesMax: 1e9 })
  expect(records.map(({ position }) => position)).toEqual(
    Array.from({ length: head }, (_, index) => index + 1),
  )
  for (const { serial, first, last } of acknowledged) {
    for (let position = first; position <= last; position++) {
      expect(serialOf(records[position - 1])).toBe(serial)
    }
  }
  await checkAtomic(storage, records)
}

// Every batch put the serial of its records under the key of its writer: both are there, or neither.
async function checkAtomic(storage: Storage, records: readonly StoredRecord[]): Promise<void> {
  const newest = new Map<string, string>()
  for (const record of records) {
    const serial = serialOf(record)
    const [life, writer] = serial.split('.')
    newest.set(`newest/${life}/${writer}`, serial)
  }
  for await (const { key, value } of storage.scan('newest/')) {
    expect(new TextDecoder().decode(value)).toBe(newest.get(key))
    newest.delete(key)
  }
  expect([...newest]).toEqual([])
  for (const collection of ['collection-0', 'collection-1', 'collection-2']) {
    const page = await storage.read({ after: 0, bytesMax: 1e9, collections: [collection] })
    const expected = records.filter((record) => record.collection === collection)
    expect(page.records.length).toBe(expected.length)
  }
}

function serialOf(record: StoredRecord | undefined): string {
  return new TextDecoder().decode(record?.bytes).split('/')[0] ?? ''
}
