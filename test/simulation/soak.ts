import { simulate } from './run.ts'

/** Runs seed after seed until one fails: `npx tsx test/simulation/soak.ts [first seed]`. */
async function soak(first: number): Promise<void> {
  for (let seed = first; ; seed += 1) {
    const { failures, trace, edits, crashes } = await simulate({ seed, steps: 200 })
    if (failures.length > 0) {
      console.error(`seed ${seed} fails; rerun with SIM_SEED=${seed} (200 steps)`)
      console.error([...trace.slice(-100), ...failures].join('\n'))
      process.exitCode = 1
      return
    }
    if (seed % 20 === 0) console.log(`seed ${seed} passed, ${edits} edits, ${crashes} crashes`)
  }
}

await soak(Number(process.argv[2] ?? 1_000))
