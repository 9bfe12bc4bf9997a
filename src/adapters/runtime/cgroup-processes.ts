import { readFile } from 'node:fs/promises'

/** Reads a `cgroup.procs` file. */
export async function readProcesses(path: string): Promise<readonly number[]> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter((line) => line !== '' && line !== '0')
    .map(Number)
}
