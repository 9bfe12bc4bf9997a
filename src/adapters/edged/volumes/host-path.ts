import { mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { JsonObject } from '../../kubernetes/objects/types.ts'
import { asText } from '../json.ts'

/**
 * Checks what a hostPath volume expects at its path and makes what its type says may be made.
 *
 * @returns what is wrong, in kubelet's words; undefined when the path can be used.
 */
export async function prepareHostPath(volume: JsonObject): Promise<string | undefined> {
  const path = asText(volume['path']) ?? ''
  const type = asText(volume['type']) ?? ''
  if (!path.startsWith('/')) return `hostPath path must be absolute, not ${JSON.stringify(path)}`
  const found = await kindAt(path)
  switch (type) {
    case '':
      return undefined
    case 'DirectoryOrCreate':
      if (found === 'missing') await mkdir(path, { recursive: true, mode: 0o755 })
      return found === 'missing' ? undefined : expectKind(path, found, 'directory')
    case 'FileOrCreate':
      if (found === 'missing') return await makeFile(path)
      return expectKind(path, found, 'file')
    case 'Directory':
      return expectKind(path, found, 'directory')
    case 'File':
      return expectKind(path, found, 'file')
    case 'Socket':
      return expectKind(path, found, 'socket', 'socket file')
    case 'CharDevice':
      return expectKind(path, found, 'character device')
    case 'BlockDevice':
      return expectKind(path, found, 'block device')
    default:
      return `hostPath type check failed: unknown type ${JSON.stringify(type)}`
  }
}

async function kindAt(path: string): Promise<string> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) return 'directory'
    if (found.isSocket()) return 'socket'
    if (found.isCharacterDevice()) return 'character device'
    if (found.isBlockDevice()) return 'block device'
    return 'file'
  } catch {
    return 'missing'
  }
}

function expectKind(
  path: string,
  found: string,
  expected: string,
  called: string = expected,
): string | undefined {
  return found === expected ? undefined : `hostPath type check failed: ${path} is not a ${called}`
}

/** Unlike directories, parents are not made for files: so it is in Kubernetes. */
async function makeFile(path: string): Promise<string | undefined> {
  if ((await kindAt(dirname(path))) !== 'directory') {
    return `hostPath type check failed: ${dirname(path)} is not a directory`
  }
  await (await open(path, 'a', 0o644)).close()
  return undefined
}
