import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PodStopper } from '../../../../../src/adapters/edged/hooks/pod-stopper.ts'
import { processRuntime } from '../../../../../src/adapters/runtime/process/index.ts'
import { consoleLogger, systemClock } from '../../../../../src/system.ts'

const GRACE_MS = 3_600_000
const COUNT = 30

test('many containers wait for their turn without a warning of Node', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tideway-stopper-'))
  const common = { clock: systemClock, logger: consoleLogger('silent') }
  const runtime = await processRuntime({ ...common, directory, cgroups: 'never', mounts: 'never' })
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning)
  process.on('warning', onWarning)
  try {
    const ended: string[] = []
    const all = new AbortController()
    const hint = (uid: string): void => {
      ended.push(uid)
      if (ended.length === COUNT + 1) all.abort()
    }
    const stopper = new PodStopper({ ...common, runtime, hint })
    const hook = new AbortController()
    const before = async (): Promise<void> => {
      await once(hook.signal, 'abort')
    }
    stopper.stop({ id: 'main', podUid: 'main', graceMs: GRACE_MS, before })
    for (let number = 0; number < COUNT; number += 1) {
      const id = `sidecar-${number}`
      stopper.stop({ id, podUid: id, graceMs: GRACE_MS, after: ['main'] })
    }
    // Warnings come in the next turn.
    await new Promise((resolve) => setImmediate(resolve))
    expect(ended).toEqual([])
    const isOver = once(all.signal, 'abort')
    hook.abort()
    await isOver
    expect(ended[0]).toBe('main')
    stopper.close()
    expect(warnings.map(({ name }) => name)).not.toContain('MaxListenersExceededWarning')
  } finally {
    process.off('warning', onWarning)
    await runtime.close()
    await rm(directory, { recursive: true, force: true })
  }
})

test('who still sees a container that was stopped does not tell of it once more', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tideway-stopper-'))
  const common = { clock: systemClock, logger: consoleLogger('silent') }
  const runtime = await processRuntime({ ...common, directory, cgroups: 'never', mounts: 'never' })
  try {
    let over = (): void => undefined
    const stopper = new PodStopper({ ...common, runtime, hint: () => over() })
    const stop = async (): Promise<boolean> => {
      const isOver = new Promise<void>((resolve) => {
        over = resolve
      })
      const isNews = stopper.stop({ id: 'main', podUid: 'pod', graceMs: 0 })
      await isOver
      return isNews
    }
    expect([await stop(), await stop()]).toEqual([true, false])
    stopper.close()
  } finally {
    await runtime.close()
    await rm(directory, { recursive: true, force: true })
  }
})
