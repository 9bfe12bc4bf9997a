import { execFile } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

/** The reason to skip with where {@link findChromium} finds none. */
export const CHROMIUM_HINT =
  'put chromium or google-chrome on PATH, or its path in the variable CHROMIUM'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const MAC_PATHS = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]
const ANSWER = /^(?:Chromium|Google Chrome) \d+\./
const ANSWER_MS_MAX = 20_000

const run = promisify(execFile)

/**
 * The path of a Chromium of this machine, or undefined.
 *
 * When the variable `CHROMIUM` is set, only that one counts.
 *
 * @throws Error when `CHROMIUM` does not say its version.
 */
export async function findChromium(): Promise<string | undefined> {
  const chosen = process.env['CHROMIUM']
  if (chosen !== undefined && chosen !== '') {
    if (await answers(chosen)) return chosen
    throw new Error(`CHROMIUM=${chosen} does not say its version`)
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const onPath = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))
  for (const path of [...onPath, ...MAC_PATHS]) {
    if (await answers(path)) return path
  }
  return undefined
}

async function answers(path: string): Promise<boolean> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: ANSWER_MS_MAX })
    return ANSWER.test(stdout)
  } catch {
    // Not there, or a placeholder that only says how to install it.
    return false
  }
}
