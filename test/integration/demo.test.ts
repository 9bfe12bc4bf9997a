import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { isRunning } from '../../examples/demo/cluster-view.ts'
import { programPath } from '../../examples/demo/program.ts'
import { ROOT, until } from './fleet-programs.ts'

interface Told {
  readonly code: number | null
  readonly text: string
  readonly seconds: number
}

interface Telling {
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  /** Gets what was told so far, and may interrupt it. */
  readonly watch?: (text: string, interrupt: () => void) => void
}

function tell({ env = {}, args = [], watch }: Telling = {}): Promise<Told> {
  const startMs = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [programPath(ROOT, 'demo'), ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      watch?.(text, () => child.kill('SIGTERM'))
    })
    child.once('error', reject)
    child.once('close', (code) =>
      resolve({ code, text, seconds: (performance.now() - startMs) / 1_000 }),
    )
  })
}

function expectGood({ code, text, seconds }: Told): void {
  expect(text).not.toContain('FAILED')
  expect(code).toBe(0)
  expect(seconds).toBeLessThan(60)
  expect(text).toMatch(/\d+ checks held, 0 failed/)
  expect(text).toContain('ok the pods were taken over')
  expect(text).toMatch(/the catch-up took \d+ bytes up and \d+ bytes down in \d+ round trips/)
  // Plain lines, as it is not a terminal that reads them.
  expect(text).not.toContain('\u001b')
  expect(existsSync(directoryIn(text))).toBe(false)
}

function directoryIn(text: string): string {
  const directory = /everything is in (\S+);/.exec(text)?.[1]
  if (directory === undefined) throw new Error(`no directory in:\n${text}`)
  return directory
}

function processesIn(text: string): readonly number[] {
  return [...text.matchAll(/process (\d+)/g)].map((match) => Number(match[1]))
}

test('the demo holds, with what this machine has for requests', async () => {
  expectGood(await tell())
})

test('the demo holds without kubectl', async () => {
  const told = await tell({ env: { KUBECTL: 'no-kubectl-here' } })
  expect(told.text).toContain('by @kubernetes/client-node')
  expectGood(told)
})

test('who interrupts the demo finds nothing left', async () => {
  let isInterrupted = false
  const { code, text } = await tell({
    watch: (told, interrupt) => {
      if (isInterrupted || !told.includes('pod/sensor')) return
      isInterrupted = true
      interrupt()
    },
  })
  expect(code).toBe(130)
  expect(existsSync(directoryIn(text))).toBe(false)
  expect(processesIn(text)).toHaveLength(3)
  expect(processesIn(text).some(isRunning)).toBe(false)
})

test('--keep leaves the fleet running, and says how to use it and how to stop it', async () => {
  const { code, text } = await tell({ args: ['--keep'] })
  const pids = (/kill ([\d ]+); sleep/.exec(text)?.[1] ?? '').split(' ').map(Number)
  try {
    expect(code).toBe(0)
    expect(pids).toHaveLength(3)
    expect(pids.every(isRunning)).toBe(true)
    expect(text).toMatch(/kubectl --kubeconfig \S+cloud\/kubeconfig get pods/)
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGTERM')
    await until('everything has stopped', () => !pids.some(isRunning))
    await rm(directoryIn(text), { recursive: true })
  }
})
