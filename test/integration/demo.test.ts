import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { programPath } from '../../examples/demo/program.ts'
import { ROOT } from './fleet-programs.ts'

interface Told {
  readonly code: number | null
  readonly text: string
  readonly seconds: number
}

function tell(env: Readonly<Record<string, string>> = {}): Promise<Told> {
  const startMs = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [programPath(ROOT, 'demo')], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
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
  const directory = /everything is in (\S+);/.exec(text)?.[1]
  expect(directory).toBeDefined()
  expect(existsSync(directory ?? '')).toBe(false)
}

test('the demo holds, with what this machine has for requests', async () => {
  expectGood(await tell())
})

test('the demo holds without kubectl', async () => {
  const told = await tell({ KUBECTL: 'no-kubectl-here' })
  expect(told.text).toContain('by @kubernetes/client-node')
  expectGood(told)
})
