import { setTimeout as sleep } from 'node:timers/promises'
import { type FaultPlace, livingPod, type SeenPod, type Traces } from './fault-place.ts'
import { until } from './fleet-programs.ts'

/** What is struck while pods come and go. */
export type Victim = 'edgecore' | 'containerd' | 'link' | 'shim'

/** One run of random faults. */
export interface CrashRun {
  readonly seed: number
  readonly podCount: number
  /** How often something is struck. */
  readonly crashes: number
  readonly victims: readonly Victim[]
}

/** The longest wait between two faults. */
const PAUSE_MS_MAX = 2_500
/** How long things may take to settle, and as much more for each pod. */
const SETTLE_MS = 90_000
const SETTLE_POD_MS = 4_000
/** What containerd says of a start that was under way when whoever asked for it was killed. */
const GIVEN_UP = /context canceled|signal: killed/

/** Numbers from a seed, 0 up to 1: mulberry32. */
export function numbersFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Creates pods and deletes half of them while faults strike, and looks at what is there afterwards;
 * then deletes the others, and looks at what is left.
 */
export async function crashPods(
  place: FaultPlace,
  run: CrashRun,
): Promise<{ readonly problems: readonly string[] }> {
  const uids: string[] = []
  const wanted = new Set<string>()
  const storm = { isOver: false }
  const strikes = strike(place, run)
  const changes = (async () => {
    const next = numbersFrom(run.seed + 1)
    for (let index = 0; index < run.podCount; index += 1) {
      const name = `pod-${index}`
      uids.push((await place.create(livingPod(place, name))).metadata.uid)
      wanted.add(name)
      if (storm.isOver) continue
      await sleep(next() * 400)
      if (next() < 0.5) {
        const names = [...wanted]
        const gone = names[Math.floor(next() * names.length)] ?? name
        await place.delete(gone)
        wanted.delete(gone)
      }
    }
  })()
  await Promise.all([strikes, changes])
  const waitMs = settleMs(run)
  const pods = await place.onlyReady([...wanted], waitMs)
  const problems = [
    ...(await problemsOf(place, pods, run)),
    ...(await tracesBeside(place, pods, uids, run)),
  ]
  for (const name of wanted) await place.delete(name)
  await place.onlyReady([], waitMs)
  return { problems: [...problems, ...(await tracesBeside(place, [], uids, run))] }
}

function wasRestarted({ status }: SeenPod): boolean {
  return (status?.containerStatuses?.[0]?.restartCount ?? 0) > 0
}

function settleMs({ podCount }: CrashRun): number {
  return SETTLE_MS + podCount * SETTLE_POD_MS
}

async function strike(place: FaultPlace, run: CrashRun): Promise<void> {
  const next = numbersFrom(run.seed)
  for (let count = 0; count < run.crashes; count += 1) {
    await sleep(next() * PAUSE_MS_MAX)
    const victim = run.victims[Math.floor(next() * run.victims.length)]
    if (victim === 'edgecore') {
      await place.kill()
      await sleep(next() * 300)
      place.restart()
    } else if (victim === 'containerd') {
      await place.containerd?.kill()
      await sleep(next() * 300)
      await place.containerd?.start()
    } else if (victim === 'shim') {
      await place.killShim(next())
    } else {
      place.link.cut()
      await sleep(next() * 1_000)
      place.link.restore()
    }
  }
}

/** Whether each container lives once, and began no more often than its pod says. */
async function problemsOf(
  place: FaultPlace,
  pods: readonly SeenPod[],
  { victims }: CrashRun,
): Promise<readonly string[]> {
  const problems: string[] = []
  for (const { metadata, status } of pods) {
    const { begun, overlaps } = await place.lives(metadata.name)
    const [main] = status?.containerStatuses ?? []
    const { restartCount: restarts = -1, lastState } = main ?? {}
    const last = lastState?.terminated
    if (overlaps > 0) problems.push(`${metadata.name} ran twice at once ${overlaps} times`)
    const isEngineStruck = victims.includes('containerd')
    const isGivenUp = last?.reason === 'StartError' && GIVEN_UP.test(last.message ?? '')
    // With its engine a container may end before it has said anything, and so does one whose start is given up.
    const isUnsure = isEngineStruck || isGivenUp
    if (isUnsure ? begun < 1 || begun > restarts + 1 : begun !== restarts + 1)
      problems.push(`${metadata.name} began ${begun} times with ${restarts} restarts`)
    if (!isUnsure && restarts > 0)
      problems.push(`${metadata.name} was restarted ${restarts} times: ${JSON.stringify(last)}`)
  }
  return problems
}

/** What is on the machine beyond what these pods need, once it has settled. */
async function tracesBeside(
  place: FaultPlace,
  pods: readonly SeenPod[],
  uids: readonly string[],
  run: CrashRun,
): Promise<readonly string[]> {
  const { victims } = run
  const live = pods.map(({ metadata }) => metadata.uid)
  const gone = uids.filter((uid) => !live.includes(uid))
  const isEngine = place.containerd !== undefined
  const isEngineStruck = victims.includes('containerd')
  const look = async (): Promise<readonly string[]> => {
    const traces = await place.traces(gone)
    const { length } = pods
    const counts: Partial<Record<keyof Traces, number>> = {
      ...{ folders: length, logs: length },
      ...(isEngine ? { tasks: 2 * length } : {}),
      // What ended with its engine is remembered as long as its pod is there.
      ...(isEngine && (length === 0 || !isEngineStruck)
        ? { containers: 2 * length + pods.filter(wasRestarted).length }
        : {}),
      // Containerd killed while it makes a sandbox forgets the keeper and the network of that one.
      ...(isEngine && !isEngineStruck
        ? { namespaces: length, shims: length, addresses: length }
        : {}),
    }
    const found: string[] = []
    for (const [key, count] of Object.entries(counts)) {
      const there = traces[key as keyof Traces]
      if (there.length !== count)
        found.push(`${there.length} ${key} instead of ${count}: ${there.join(' ')}`)
    }
    if (traces.cgroups.length > 0) found.push(`cgroups: ${traces.cgroups.join(' ')}`)
    if (pods.length === 0 && traces.mounts.length > 0)
      found.push(`mounts: ${traces.mounts.join(' ')}`)
    // A network plugin that ends with the start it works for has told nobody of the rules it made.
    const chains = new Set(traces.chains.flatMap((rule) => /"(\w{64})\\"/.exec(rule)?.[1] ?? []))
    if (pods.length === 0 && !isEngineStruck && chains.size > run.crashes)
      found.push(`rules of ${chains.size} networks: ${traces.chains.join(' ')}`)
    return found
  }
  let last: readonly string[] = []
  await until(
    'nothing being left over',
    async () => {
      last = await look()
      return last.length === 0
    },
    settleMs(run),
  ).catch(() => undefined)
  return last
}
