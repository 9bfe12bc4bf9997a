import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { levelStorage } from '../../src/adapters/storage/level/index.ts'
import { checkStorage } from '../../src/index.ts'
import { bundledProgram } from '../support/bundled-program.ts'
import { audit, nothingTold, takeLine } from './crash-audit.ts'
import { openCrashReplica } from './crash-replica.ts'

/** Lives of a replica, each ended by `kill -9`. `CRASH_KILLS=300` for more. */
const KILLS = Number(process.env['CRASH_KILLS'] ?? 60)
/** Every so many lives all that there is is read again, not only what the last one touched. */
const FULL_AUDIT_EVERY = 20
const WRITER = fileURLToPath(new URL('replica-crash-writer.ts', import.meta.url))

type Writer = ChildProcessByStdio<Writable, Readable, null>

const writers: Writer[] = []
let program: string
let directory: string

beforeAll(async () => {
  program = await bundledProgram(WRITER)
  directory = await mkdtemp(join(tmpdir(), 'tideway-crash-'))
})
afterAll(async () => {
  // Only after a failure is one of them still alive.
  for (const writer of writers) writer.kill('SIGKILL')
  await rm(directory, { recursive: true, force: true })
})

test(
  `a replica keeps all that it acknowledged through ${KILLS} kills`,
  async () => {
    const told = nothingTold()
    const lives = new Set<string>()
    let next = start(0)
    for (let life = 0; life < KILLS; life++) {
      const writer = next
      if (life + 1 < KILLS) next = start(life + 1)
      const touched = new Set<string>()
      const names = await killAfter(writer, life % 8 === 7 ? 0 : 1 + below(60), (line) => {
        const id = takeLine(told, line)
        if (id !== undefined) touched.add(id)
      })
      if (names !== undefined) lives.add(names)
      const replica = await openCrashReplica(directory)
      try {
        const isFull = life % FULL_AUDIT_EVERY === 0 || life + 1 === KILLS
        await audit(replica, told, isFull ? told.keys.keys() : touched)
        lives.add(`${replica.epoch} ${replica.actor}`)
      } finally {
        await replica.close()
      }
    }
    // One log and one writer through all lives.
    expect(lives.size).toBe(1)
    expect(told.count).toBeGreaterThan(KILLS * 3)
    const storage = await levelStorage({ directory })
    expect(await checkStorage(storage)).toMatchObject({ positions: [], unindexed: [], keys: [] })
    await storage.close()
  },
  60_000 + KILLS * 4_000,
)

function start(life: number): Writer {
  const args = [program, directory, String(life)]
  const writer = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  writers.push(writer)
  return writer
}

function below(count: number): number {
  return Math.floor(Math.random() * count)
}

/**
 * Lets a writer run until it has told of `count` things and a little longer, or while it opens, and kills
 * it. @returns epoch and actor, as it told.
 */
async function killAfter(
  writer: Writer,
  count: number,
  take: (line: string) => void,
): Promise<string | undefined> {
  const exit = once(writer, 'exit')
  let names: string | undefined
  writer.stdin.write('go\n')
  const kill = (delayMs: number) => setTimeout(() => writer.kill('SIGKILL'), delayMs)
  const early = count === 0 ? kill(below(60)) : undefined
  let lines = 0
  for await (const line of createInterface({ input: writer.stdout })) {
    if (line.startsWith('open ')) names = line.slice('open '.length)
    else {
      take(line)
      lines += 1
      if (lines === count) kill(below(6))
    }
  }
  clearTimeout(early)
  const [, signal] = await exit
  expect(signal).toBe('SIGKILL')
  return names
}
