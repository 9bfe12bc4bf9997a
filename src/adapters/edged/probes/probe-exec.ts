import { type PodRuntime, RuntimeError } from '../../runtime/index.ts'
import { goDuration } from '../go-duration.ts'
import type { LookResult } from './probe-look.ts'

/** What kubelet keeps of the output of a command. */
const OUTPUT_BYTES_MAX = 10 * 1024

/** Runs a command in a container: exit code 0 is success. */
export async function execLook(
  runtime: Pick<PodRuntime, 'run'>,
  containerId: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<LookResult> {
  try {
    const spec = { command, timeoutMs, outputBytesMax: OUTPUT_BYTES_MAX }
    const result = await runtime.run(containerId, spec)
    if (result.type === 'timedOut') {
      const words = JSON.stringify(command.join(' '))
      const output = `command timed out: ${words} timed out after ${goDuration(timeoutMs)}`
      return { outcome: 'failure', output }
    }
    const outcome = result.exitCode === 0 ? 'success' : 'failure'
    return { outcome, output: result.output }
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error
    return { outcome: 'error', output: error.message }
  }
}
