import { expect, test } from 'vitest'
import { Prober } from '../../../../../src/adapters/edged/probes/prober.ts'
import type { JsonObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import type { CommandResult } from '../../../../../src/adapters/runtime/index.ts'
import { ProcessClock, SimulatedTime, settle } from '../../../../simulation/clock.ts'
import { ended, pod, run } from '../pods.ts'

/** A prober in a world of its own: each command ends when the test says so, and as it says. */
class World {
  readonly time = new SimulatedTime()
  readonly hints: string[] = []
  readonly told: string[] = []
  readonly commands: string[] = []
  /** How commands end; undefined: not before the test calls one of `ends`. */
  answer: CommandResult | undefined = { type: 'exited', exitCode: 0, output: '' }
  readonly ends: ((result: CommandResult) => void)[] = []
  readonly clock = new ProcessClock(this.time, 0)
  readonly prober = new Prober({
    clock: this.clock,
    random: { fill: (target) => void target.fill(128) },
    hint: (uid) => this.hints.push(uid),
    tell: (_pod, reason, message, container) =>
      this.told.push(`${reason} ${container}: ${message}`),
    runtime: {
      name: 'process',
      run: (id, spec) => {
        this.commands.push(`${this.time.nowMs} ${id} ${spec.command.join(' ')}`)
        if (this.answer !== undefined) return Promise.resolve(this.answer)
        return new Promise((resolve) => this.ends.push(resolve))
      },
    },
  })

  /** Lets time pass up to a moment. */
  async until(ms: number): Promise<void> {
    await settle()
    while (this.time.step(ms)) await settle()
  }

  /** Whether anything is left to do, ever. */
  get isQuiet(): boolean {
    return !this.time.step(Number.MAX_SAFE_INTEGER)
  }
}

const probe = (word: string, more: JsonObject = {}): JsonObject => ({
  exec: { command: [word, '$(WHO)'] },
  periodSeconds: 10,
  ...more,
})

function podWith(main: JsonObject, over: JsonObject = {}, status: JsonObject = {}) {
  const env = [{ name: 'WHO', value: 'me' }]
  return pod({ containers: [{ name: 'main', image: 'x', env, ...main }] }, over, status)
}

const FAILED: CommandResult = { type: 'exited', exitCode: 1, output: 'no' }

test('readiness is looked at at once and then once a period, and only a change is news', async () => {
  const world = new World()
  const of = podWith({ readinessProbe: probe('ready') })
  const runs = [run(of, 'main', { startedAtMs: world.clock.wallMs() })]
  expect(world.prober.health(of, runs, undefined).get('main-0')?.isReady).toBe(false)
  await world.until(25_000)
  expect(world.commands.map((line) => line.split(' ')[0])).toEqual([
    '0.001',
    '10000.001',
    '20000.001',
  ])
  expect(world.commands[0]).toMatch(/main-0 ready me$/)
  expect(world.hints).toEqual(['u-1'])
  expect(world.prober.health(of, runs, undefined).get('main-0')?.isReady).toBe(true)
  world.answer = FAILED
  await world.until(45_000)
  expect(world.hints).toHaveLength(1)
  await world.until(55_000)
  expect(world.hints).toHaveLength(2)
  expect(world.told).toEqual(Array(3).fill('Unhealthy main: Readiness probe failed: no'))
  expect(world.prober.health(of, runs, undefined).get('main-0')?.isReady).toBe(false)
})

test('nothing but startup is looked at before it has succeeded, and nothing of it afterwards', async () => {
  const world = new World()
  world.answer = FAILED
  const of = podWith({
    startupProbe: probe('start', { failureThreshold: 30 }),
    livenessProbe: probe('live'),
    readinessProbe: probe('ready'),
  })
  const startedAtMs = world.clock.wallMs()
  world.prober.health(of, [run(of, 'main', { startedAtMs })], undefined)
  await world.until(35_000)
  expect(new Set(world.commands.map((line) => line.split(' ')[2]))).toEqual(new Set(['start']))
  world.answer = { type: 'exited', exitCode: 0, output: '' }
  await world.until(55_000)
  const after = world.commands.slice(3).map((line) => line.split(' ')[2])
  expect(after).toEqual(['start', 'live', 'ready', 'live', 'ready'])
})

test('a failed liveness stays failed until there is another run', async () => {
  const world = new World()
  world.answer = FAILED
  const of = podWith({ livenessProbe: probe('live', { terminationGracePeriodSeconds: 3 }) })
  const startedAtMs = world.clock.wallMs()
  const first = run(of, 'main', { startedAtMs })
  world.prober.health(of, [first], undefined)
  await world.until(100_000)
  expect(world.commands).toHaveLength(3)
  const failed = world.prober.health(of, [first], undefined).get('main-0')
  expect(failed).toMatchObject({ failed: 'liveness', graceMs: 3_000 })
  const gone = ended(of, 'main', 0)
  expect(world.prober.health(of, [gone], undefined).get('main-0')?.failed).toBe('liveness')
  const second = run(of, 'main', { attempt: 1, startedAtMs: world.clock.wallMs() })
  const fresh = world.prober.health(of, [gone, second], undefined)
  expect(fresh.get('main-1')?.failed).toBeUndefined()
  expect(fresh.has('main-0')).toBe(false)
  await world.until(115_000)
  expect(world.commands.at(-1)).toContain('main-1')
})

test('a look that takes longer than a period is not made a second time meanwhile', async () => {
  const world = new World()
  world.answer = undefined
  const of = podWith({ readinessProbe: probe('slow') })
  world.prober.health(of, [run(of, 'main', { startedAtMs: world.clock.wallMs() })], undefined)
  await world.until(34_000)
  expect(world.commands).toHaveLength(1)
  world.ends[0]?.({ type: 'timedOut', output: '' })
  await world.until(39_000)
  expect(world.told).toEqual([
    'Unhealthy main: Readiness probe failed: command timed out: "slow me" timed out after 1s',
  ])
  expect(world.commands).toHaveLength(1)
  await world.until(41_000)
  expect(world.commands).toHaveLength(2)
})

test('no more than 32 containers are looked at in the same moment', async () => {
  const world = new World()
  world.answer = undefined
  for (let index = 0; index < 50; index += 1) {
    const of = podWith({ readinessProbe: probe('ready') }, { uid: `u-${index}` })
    const over = { id: `r-${index}`, startedAtMs: world.clock.wallMs() }
    world.prober.health(of, [run(of, 'main', over)], undefined)
  }
  await world.until(1_000)
  expect(world.commands).toHaveLength(32)
  for (const end of world.ends.splice(0)) end(FAILED)
  await world.until(1_001)
  expect(world.commands).toHaveLength(50)
})

test('an agent that starts again believes what the status says, and looks at its own time', async () => {
  const world = new World()
  const status = {
    containerStatuses: [
      { name: 'main', containerID: 'process://main-0', ready: true, started: true },
    ],
  }
  const main = { startupProbe: probe('start'), readinessProbe: probe('ready') }
  const of = podWith(main, {}, status)
  const startedAtMs = world.clock.wallMs() - 3_600_000
  const health = world.prober.health(of, [run(of, 'main', { startedAtMs })], undefined)
  expect(health.get('main-0')).toMatchObject({ isStarted: true, isReady: true })
  await world.until(4_900)
  expect(world.commands).toEqual([])
  await world.until(5_100)
  expect(world.commands.map((line) => line.split(' ')[2])).toEqual(['ready'])
  const other = run(of, 'main', { attempt: 1, startedAtMs })
  expect(world.prober.health(of, [other], undefined).get('main-1')?.isStarted).toBe(false)
})

test('a pod that is being deleted is looked at for readiness only', async () => {
  const world = new World()
  const main = { livenessProbe: probe('live'), readinessProbe: probe('ready') }
  const of = podWith(main)
  const runs = [run(of, 'main', { startedAtMs: world.clock.wallMs() })]
  world.prober.health(of, runs, undefined)
  const deleted = podWith(main, { deletionTimestamp: '2026-01-01T00:00:00Z' })
  world.prober.health(deleted, runs, undefined)
  await world.until(60_000)
  expect(new Set(world.commands.map((line) => line.split(' ')[2]))).toEqual(new Set(['ready']))
})

test.each<[string, (world: World) => void]>([
  ['forgotten', (world) => world.prober.forget('u-1')],
  ['closed', (world) => world.prober.close()],
  [
    'gone from the runtime',
    (world) => void world.prober.health(podWith({ livenessProbe: probe('live') }), [], undefined),
  ],
])('nothing is left of a pod that is %s, also of a look under way', async (_name, end) => {
  const world = new World()
  world.answer = undefined
  const of = podWith({ livenessProbe: probe('live', { failureThreshold: 1 }) })
  world.prober.health(of, [run(of, 'main', { startedAtMs: world.clock.wallMs() })], undefined)
  await world.until(15_000)
  expect(world.commands).toHaveLength(1)
  end(world)
  world.ends[0]?.(FAILED)
  await settle()
  expect(world.told).toEqual([])
  expect(world.hints).toEqual([])
  expect(world.isQuiet).toBe(true)
})
