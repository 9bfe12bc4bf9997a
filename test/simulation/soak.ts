import { simulate } from './run.ts'

/** A longer life than the seeds of `npm test` have. */
const STEPS = 200

/** How often the pace is said. */
const TELL_MS = 10_000

/**
 * Runs seed after seed until one fails: `npm run soak`, or `npm run soak -- 5000` to begin at a seed,
 * or `npm run soak -- 5000 60` for lives of 60 steps.
 */
async function soak(first: number, steps: number): Promise<void> {
  const begun = performance.now()
  let toldMs = begun
  let edits = 0
  let crashes = 0
  for (let seed = first; ; seed += 1) {
    const result = await simulate({ seed, steps })
    if (result.failures.length > 0) {
      console.error([...result.trace().slice(-100), ...result.failures].join('\n'))
      console.error(`seed ${seed} fails: npm run soak -- ${seed} ${steps}`)
      process.exitCode = 1
      return
    }
    edits += result.edits
    crashes += result.crashes
    const nowMs = performance.now()
    if (nowMs - toldMs < TELL_MS) continue
    toldMs = nowMs
    const done = seed - first + 1
    const pace = Math.round((done * 60_000) / (nowMs - begun))
    console.log(`${done} seeds, ${pace} a minute, ${edits} edits, ${crashes} crashes`)
  }
}

await soak(Number(process.argv[2] ?? 1_000_000), Number(process.argv[3] ?? STEPS))
