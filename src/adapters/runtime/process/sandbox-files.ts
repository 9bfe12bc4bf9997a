import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAtomic } from '../atomic-file.ts'
import type { PodLimits, SandboxSpec } from '../index.ts'

/** What is kept of a sandbox. */
export interface SandboxRecord {
  /** What it was made with. */
  readonly spec: SandboxSpec
  readonly createdAtMs: number
  /** The limits of the pod, where they were changed since. */
  readonly limits?: PodLimits | undefined
}

/** Writes a sandbox as text. */
export function formatSandbox(record: SandboxRecord): string {
  return JSON.stringify({ version: 1, ...record })
}

/** Keeps a sandbox in its directory, which is made where it is missing. */
export async function writeSandbox(directory: string, record: SandboxRecord): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeAtomic(join(directory, 'sandbox.json'), formatSandbox(record), { sync: true })
}

/** Reads what {@link formatSandbox} wrote. @throws an error when it is damaged or from a newer version. */
export function parseSandbox(text: string): SandboxRecord {
  const parsed: unknown = JSON.parse(text)
  if (isSandboxRecord(parsed)) return parsed
  throw new Error('the sandbox record lacks fields or has a newer version')
}

function isSandboxRecord(value: unknown): value is SandboxRecord {
  if (typeof value !== 'object' || value === null) return false
  if (!('version' in value) || value.version !== 1) return false
  if (!('createdAtMs' in value) || typeof value.createdAtMs !== 'number') return false
  if (!('spec' in value) || typeof value.spec !== 'object' || value.spec === null) return false
  const spec = new Map<string, unknown>(Object.entries(value.spec))
  const names = ['namespace', 'name', 'uid', 'hostname', 'directory']
  return names.every((name) => typeof spec.get(name) === 'string')
}
