import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { levelStorage } from '../../src/adapters/storage/level/index.ts'
import { isTidewayError, type TidewayError } from '../../src/core/errors.ts'
import type { Storage } from '../../src/core/interfaces/storage.ts'
import { skipUnless } from '../support/skip.ts'

const WRITER = fileURLToPath(new URL('storage-crash-writer.ts', import.meta.url))
const MOUNT_REASON = 'a small file system is mounted to fill it: run as root on Linux'
const RECORD_BYTES = 64 * 1_024
const APPENDS_MAX = 2_000

describe('level storage on a medium that refuses', () => {
  let directory: string
  let canMount: boolean
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tideway-medium-'))
    canMount = mount(directory)
  })
  afterEach(async () => {
    if (canMount) execFileSync('umount', ['-l', directory])
    await rm(directory, { recursive: true, force: true })
  })

  test('keeps what it has through a full disk, and goes on when there is room', async (context) => {
    skipUnless(context, canMount, 'mount', MOUNT_REASON)
    const ballast = join(directory, 'ballast')
    await writeFile(ballast, new Uint8Array(8 * 1_024 * 1_024))
    const place = join(directory, 'log')
    let storage = await levelStorage({ directory: place })
    let head = 0
    for (let round = 0; round < 3; round++) {
      head = await fill(storage, head, round)
      // A compaction that was under way may still make room: what counts is that every append
      // is either told to be refused and absent, or told to be stored and there.
      for (let again = 0; again < 3; again++) head += await appendOrRefused(storage, head, round)
      await checkAll(storage, head)
      expect((await storage.get(['newest']))[0]).toEqual(Uint8Array.of(head % 251))

      if (round === 0) await rm(ballast)
      // Room again, as far as a log can make it itself.
      else execFileSync('mount', ['-o', `remount,size=${32 + round * 8}m`, directory])
      const appended = await storage.append(batchOf(head + 1, round))
      head += 1
      expect(appended).toEqual({ first: head, head })
      await checkAll(storage, head)
      if (round === 1) {
        await storage.close()
        storage = await levelStorage({ directory: place })
        await checkAll(storage, head)
      }
    }
    await storage.close()
    const reopened = await levelStorage({ directory: place })
    await checkAll(reopened, head)
    await reopened.close()
  })

  test('says that a directory is read-only', async (context) => {
    const place = join(directory, 'log')
    const storage = await levelStorage({ directory: place })
    await storage.append(batchOf(1, 0))
    await storage.close()
    const isRoot = process.getuid?.() === 0
    skipUnless(context, canMount || !isRoot, 'mount', MOUNT_REASON)
    if (canMount) execFileSync('mount', ['-o', 'remount,ro', directory])
    else await chmod(place, 0o500)
    try {
      const refused = await rejection(levelStorage({ directory: place }))
      expect(refused.code).toBe('STORAGE_UNAVAILABLE')
      expect(refused.fields).toEqual({ directory: place, reason: canMount ? 'EROFS' : 'EACCES' })
    } finally {
      if (!canMount) await chmod(place, 0o700)
    }
  })

  test('refuses a directory that another process has open', async () => {
    const place = join(directory, 'log')
    const args = ['--import', 'tsx', WRITER, place]
    const other = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const exit = once(other, 'exit')
    try {
      other.stdin.write('go\n')
      await once(createInterface({ input: other.stdout }), 'line')
      const refused = await rejection(levelStorage({ directory: place }))
      expect(refused.code).toBe('STORAGE_LOCKED')
      expect(refused.message).toContain('another process')
      expect(refused.fields).toEqual({ directory: place })
    } finally {
      other.kill('SIGKILL')
      await exit
    }
    const storage = await levelStorage({ directory: place })
    await storage.close()
  })
})

function mount(directory: string): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', directory], {
      stdio: 'ignore',
    })
    return true
  } catch {
    return false
  }
}

function batchOf(position: number, round: number) {
  const bytes = new Uint8Array(RECORD_BYTES).fill(position % 251)
  // Noise, so that compression does not make room.
  for (let at = 0; at < bytes.length; at += 2)
    bytes[at] = Math.imul(at + position, 0x9e37_79b1) >>> 24
  bytes[0] = position % 251
  const record = { document: `d${round}`, collection: `c${position % 3}`, bytes }
  return { records: [record], puts: [{ key: 'newest', value: Uint8Array.of(position % 251) }] }
}

// Appends until the medium refuses. Returns the last position that was acknowledged.
async function fill(storage: Storage, head: number, round: number): Promise<number> {
  for (let position = head + 1; position < head + APPENDS_MAX; position++) {
    try {
      await storage.append(batchOf(position, round))
    } catch (error) {
      expectFull(error)
      return position - 1
    }
  }
  throw new Error('the disk never became full')
}

// 1 if the append was stored, 0 if the full medium refused it.
async function appendOrRefused(storage: Storage, head: number, round: number): Promise<0 | 1> {
  try {
    await storage.append(batchOf(head + 1, round))
    return 1
  } catch (error) {
    expectFull(error)
    return 0
  }
}

function expectFull(error: unknown): void {
  if (!isTidewayError(error)) throw new Error('a full disk gave a foreign error', { cause: error })
  expect(error.code).toBe('STORAGE_UNAVAILABLE')
  expect(error.retryable).toBe(true)
  expect(error.fields['reason']).toBe('ENOSPC')
}

async function checkAll(storage: Storage, head: number): Promise<void> {
  expect(await storage.head()).toBe(head)
  const { records, end } = await storage.read({ after: 0, bytesMax: 1e9 })
  expect(end).toBe(true)
  expect(records.map(({ position }) => position)).toEqual(
    Array.from({ length: head }, (_, index) => index + 1),
  )
  for (const { position, bytes } of records) expect(bytes[0]).toBe(position % 251)
  const page = await storage.read({ after: 0, bytesMax: 1e9, collections: ['c0', 'c1', 'c2'] })
  expect(page.records.length).toBe(head)
}

async function rejection(promise: Promise<unknown>): Promise<TidewayError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!isTidewayError(error)) throw new Error('it did not reject as it must', { cause: error })
  return error
}
