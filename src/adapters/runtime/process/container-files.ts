import { access, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isNotFound, readIfThere, writeAtomic } from '../atomic-file.ts'
import type { ContainerSecurity, Limits, Mount } from '../index.ts'

/** What is known of a container from the moment before its start. Only its limits change later. */
export interface ContainerRecord {
  readonly version: 1
  readonly id: string
  readonly sandboxId: string
  readonly podUid: string
  readonly name: string
  readonly attempt: number
  readonly image: string
  readonly command: readonly string[]
  readonly mounts: readonly Mount[]
  /** Where the command was started, for commands that join it; older records lack it. */
  readonly workingDir?: string
  /** Whom it runs as and what it may do, with the group of its user filled in. */
  readonly security?: ContainerSecurity
  readonly limits: Limits
  readonly logPath: string
  readonly labels: Readonly<Record<string, string>>
  readonly createdAtMs: number
  /** Which run of the machine it was made in. */
  readonly bootId: string
}

/** The process that runs the container, as it wrote itself. */
export interface Claim {
  readonly pid: number
  readonly start: string
  readonly atMs: number
}

/** The first process of a container that has namespaces of its own. */
export interface InsideProcess {
  /** As the machine numbers it. */
  readonly pid: number
  /** It has a pid namespace of its own, or that of another container, and not that of the machine. */
  readonly isIsolated: boolean
}

/** How a container ended. Written once, when everything else about it is done. */
export interface Final {
  readonly exitCode: number
  readonly signal?: number | undefined
  readonly reason: string
  readonly message?: string | undefined
  readonly startedAtMs?: number | undefined
  readonly finishedAtMs: number
}

/** The name of the mark that says: we are killing it. */
const KILLED = 'killed'

/** Reads and writes the files of one container's directory. */
export class ContainerFiles {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  /** @throws an error when the file is damaged; undefined when there is none. */
  async record(): Promise<ContainerRecord | undefined> {
    const text = await readIfThere(join(this.directory, 'container.json'))
    return text === undefined ? undefined : parseRecord(text)
  }

  async writeRecord(record: ContainerRecord): Promise<void> {
    await writeAtomic(join(this.directory, 'container.json'), JSON.stringify(record), {
      sync: true,
    })
  }

  async claim(): Promise<Claim | undefined> {
    const path = join(this.directory, 'claim')
    const text = await readIfThere(path)
    const match = text === undefined ? null : /^(\d+) (.+)\n$/.exec(text)
    if (match === null) return undefined
    const [, pid, start = ''] = match
    return { pid: Number(pid), start: start.trim(), atMs: (await stat(path)).mtimeMs }
  }

  /** The exit code that the script has recorded, and when. */
  async exit(): Promise<{ readonly code: number; readonly atMs: number } | undefined> {
    const path = join(this.directory, 'exit')
    try {
      const code = Number.parseInt(await readFile(path, 'utf8'), 10)
      // A full disk took the name and not the number.
      if (Number.isNaN(code)) return undefined
      return { code, atMs: Math.round((await stat(path)).mtimeMs) }
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  /** Why the command was not reached, if it was not. */
  async failure(): Promise<string | undefined> {
    return (await readIfThere(join(this.directory, 'failure')))?.trim()
  }

  /** Whether the command has been reached. */
  async isRunning(): Promise<boolean> {
    return await isThere(join(this.directory, 'running'))
  }

  /** A process inside the namespaces of the container; undefined when it has none of its own. */
  async inside(): Promise<InsideProcess | undefined> {
    const text = (await readIfThere(join(this.directory, 'running'))) ?? ''
    const match = /^(\d+)( own)?\n$/.exec(text)
    return match === null
      ? undefined
      : { pid: Number(match[1]), isIsolated: match[2] !== undefined }
  }

  async isKilled(): Promise<boolean> {
    return await isThere(join(this.directory, KILLED))
  }

  async markKilled(): Promise<void> {
    await writeAtomic(join(this.directory, KILLED), '')
  }

  async final(): Promise<Final | undefined> {
    const text = await readIfThere(join(this.directory, 'final.json'))
    if (text === undefined) return undefined
    const parsed: unknown = JSON.parse(text)
    return isFinal(parsed) ? parsed : undefined
  }

  async writeFinal(final: Final): Promise<void> {
    await writeAtomic(join(this.directory, 'final.json'), JSON.stringify(final), { sync: true })
  }
}

/** Reads a record. @throws an error that says what is wrong with it. */
export function parseRecord(text: string): ContainerRecord {
  const parsed: unknown = JSON.parse(text)
  if (!isRecord(parsed)) throw new Error('the container record lacks fields or has a newer version')
  return parsed
}

function isRecord(value: unknown): value is ContainerRecord {
  if (!isObject(value)) return false
  const texts = ['id', 'sandboxId', 'podUid', 'name', 'image', 'logPath', 'bootId']
  return (
    value['version'] === 1 &&
    texts.every((name) => typeof value[name] === 'string') &&
    typeof value['attempt'] === 'number' &&
    typeof value['createdAtMs'] === 'number' &&
    isObject(value['labels']) &&
    Array.isArray(value['mounts']) &&
    Array.isArray(value['command'])
  )
}

function isFinal(value: unknown): value is Final {
  return (
    isObject(value) &&
    typeof value['exitCode'] === 'number' &&
    typeof value['reason'] === 'string' &&
    typeof value['finishedAtMs'] === 'number'
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}
