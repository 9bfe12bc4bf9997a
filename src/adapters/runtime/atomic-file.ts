import { open, readdir, readFile, rename, rm } from 'node:fs/promises'

/**
 * Puts `text` in the place of a file in one step: a reader sees the old or the new content, also
 * after a crash. With `sync` it also survives a power loss.
 */
export async function writeAtomic(
  path: string,
  text: string,
  options: { readonly sync?: boolean } = {},
): Promise<void> {
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(text)
    if (options.sync === true) await file.sync()
  } catch (error) {
    await file.close()
    await rm(temporary, { force: true })
    throw error
  }
  await file.close()
  await rename(temporary, path)
}

/** The content of a file, or undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** Whether a file system call failed because there is nothing at the path. */
export function isNotFound(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** The system's code of an error, such as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** The names in a directory; none when it is not there. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isNotFound(error)) return []
    throw error
  }
}
