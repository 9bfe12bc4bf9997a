import { createHash, randomBytes } from 'node:crypto'
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { VolumeFile } from './volume-files.ts'
import { giveToGroup, giveToUser, type VolumeGroup } from './volume-group.ts'

const LINK = '..data'

/**
 * Makes a directory hold exactly `files`, all of them changing in one step.
 *
 * The layout is kubelet's: the files are in a hidden directory of their own, `..data` is a link to
 * it, and each name on the first level is a link through `..data`. An update prepares a new hidden
 * directory and replaces the one link, so a reader never sees a mixture, and a process that has the
 * directory open sees the update.
 *
 * @param group whom the files belong to before anybody sees them, as far as this process may do that.
 * @param mode of the directory, when it is made.
 * @returns whether anything changed.
 */
export async function writeAtomicDirectory(
  directory: string,
  files: ReadonlyMap<string, VolumeFile>,
  group?: VolumeGroup,
  mode = 0o777,
): Promise<boolean> {
  const isMade = (await mkdir(directory, { recursive: true })) !== undefined
  // Not by the option of mkdir: the umask would take bits away.
  if (isMade) await chmod(directory, mode)
  const current = await linkTarget(join(directory, LINK))
  const digest = digestOf(files)
  // The name of the hidden directory ends with the digest of what is in it.
  if (current?.endsWith(digest) === true && (await isComplete(directory, files))) return false
  const hidden = `..${randomBytes(4).toString('hex')}-${digest}`
  await mkdir(join(directory, hidden), { mode: 0o755 })
  try {
    for (const [path, file] of files) await writeOne(join(directory, hidden, path), file)
  } catch (error) {
    // On a full disk each attempt would take a little more of it.
    await rm(join(directory, hidden), { recursive: true, force: true })
    throw error
  }
  if (group !== undefined) await giveToGroup(join(directory, hidden), group)
  await replaceLink(directory, LINK, hidden)
  await showNames(directory, files)
  for (const name of await readdir(directory)) {
    const isOld = name.startsWith('..') && name !== LINK && name !== hidden
    if (isOld) await rm(join(directory, name), { recursive: true, force: true })
  }
  return true
}

async function writeOne(path: string, file: VolumeFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  await writeFile(path, file.bytes)
  // Not by the option of writeFile: the umask would take bits away.
  await chmod(path, file.mode)
  if (file.uid !== undefined) await giveToUser(path, file.uid)
}

/** Makes the links on the first level, and removes those of names that are gone. */
async function showNames(directory: string, files: ReadonlyMap<string, VolumeFile>): Promise<void> {
  const names = new Set([...files.keys()].map(firstPart))
  for (const name of names) {
    if ((await linkTarget(join(directory, name))) === `${LINK}/${name}`) continue
    await replaceLink(directory, name, `${LINK}/${name}`)
  }
  for (const name of await readdir(directory)) {
    if (name.startsWith('..') || names.has(name)) continue
    // Only what was made here: others may have put files into a writable volume.
    if ((await linkTarget(join(directory, name)))?.startsWith(`${LINK}/`) === true) {
      await rm(join(directory, name), { force: true })
    }
  }
}

async function isComplete(
  directory: string,
  files: ReadonlyMap<string, VolumeFile>,
): Promise<boolean> {
  for (const name of new Set([...files.keys()].map(firstPart))) {
    if ((await linkTarget(join(directory, name))) === undefined) return false
  }
  return true
}

async function replaceLink(directory: string, name: string, target: string): Promise<void> {
  const temporary = join(directory, `..link-${randomBytes(4).toString('hex')}`)
  await symlink(target, temporary)
  await rename(temporary, join(directory, name))
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    if (!(await lstat(path)).isSymbolicLink()) return undefined
    return await readlink(path)
  } catch {
    return undefined
  }
}

function firstPart(path: string): string {
  return path.split('/')[0] ?? path
}

function digestOf(files: ReadonlyMap<string, VolumeFile>): string {
  const hash = createHash('sha256')
  for (const path of [...files.keys()].sort()) {
    const file = files.get(path)
    if (file === undefined) continue
    hash.update(`${path}\0${ownersOf(file)}\0${file.bytes.length}\0`)
    hash.update(file.bytes)
  }
  return hash.digest('hex').slice(0, 16)
}

/** Who may do what with a file. */
function ownersOf({ mode, uid }: VolumeFile): string {
  return uid === undefined ? String(mode) : `${mode} ${uid}`
}
