import { spawnSync } from 'node:child_process'

const FILE = 'test/integration/pod-crashes.test.ts'
const PODS = 50
const CRASHES = 20

/**
 * Runs pods through random faults, seed after seed, until a seed fails: `npm run soak:pods`, or
 * `npm run soak:pods -- 7` to begin at a seed, or `npm run soak:pods -- 7 20 10` for 20 pods and 10 faults.
 */
function soak(first: number, podCount: number, crashes: number): void {
  for (let seed = first; ; seed += 1) {
    const env = { FAULT_SEED: seed, FAULT_PODS: podCount, FAULT_CRASHES: crashes }
    const texts = Object.entries(env).map(([name, value]) => [name, String(value)])
    const { status } = spawnSync('npx', ['vitest', 'run', '--retry=0', FILE], {
      env: { ...process.env, ...Object.fromEntries(texts) },
      stdio: 'inherit',
    })
    if (status === 0) continue
    console.error(`seed ${seed} fails: npm run soak:pods -- ${seed} ${podCount} ${crashes}`)
    process.exitCode = 1
    return
  }
}

const [first = 1, podCount = PODS, crashes = CRASHES] = process.argv.slice(2).map(Number)
soak(first, podCount, crashes)
