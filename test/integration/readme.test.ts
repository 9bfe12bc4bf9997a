import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { readmeBlock } from '../support/readme-block.ts'
import { steadyPort } from '../support/steady-port.ts'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))

let folder: string
const running = new Set<ChildProcessByStdio<null, Readable, Readable>>()

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tideway-readme-'))
  await mkdir(join(folder, 'node_modules'))
  await symlink(REPOSITORY, join(folder, 'node_modules', 'tideway'))
  await writeFile(join(folder, 'notes.mjs'), readmeBlock('embed'))
})

afterEach(async () => {
  for (const child of [...running]) await kill(child)
  await rm(folder, { recursive: true })
})

/** Runs the block as a process and collects the notes that it prints. */
function start(name: string, where: string) {
  const child = spawn(process.execPath, ['notes.mjs', name, where], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let printed = ''
  let complaints = ''
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk.toString()
  })
  const seen = (): unknown => {
    const last = printed.trim().split('\n').at(-1)
    return last === undefined || last === '' ? undefined : JSON.parse(last)
  }
  const shows = async (expected: unknown): Promise<void> => {
    const text = JSON.stringify(expected)
    const end = Date.now() + 20_000
    while (JSON.stringify(seen()) !== text) {
      if (Date.now() > end || child.exitCode !== null) {
        throw new Error(`${name} does not show ${text}\nprinted:\n${printed}\n${complaints}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return { child, shows }
}

async function kill(child: ChildProcessByStdio<null, Readable, Readable>): Promise<void> {
  running.delete(child)
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

test('the example of the README syncs two processes and survives their crashes', async () => {
  const port = await steadyPort()
  const url = `ws://127.0.0.1:${port}`
  const server = start('server', String(port))
  await server.shows({ server: 1 })
  const client = start('client', url)
  await client.shows({ client: 1, server: 1 })
  await server.shows({ client: 1, server: 1 })

  // Both die without warning; the client comes back first and writes while it is alone.
  await kill(server.child)
  await kill(client.child)
  const clientAgain = start('client', url)
  await clientAgain.shows({ client: 2, server: 1 })
  const serverAgain = start('server', String(port))
  await serverAgain.shows({ client: 2, server: 2 })
  await clientAgain.shows({ client: 2, server: 2 })
  expect(server.child.signalCode).toBe('SIGKILL')
}, 60_000)
