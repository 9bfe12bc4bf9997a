import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** One value in one file of a group. */
export interface Setting {
  readonly file: string
  readonly value: string
  /** The kernel may be built without it. */
  readonly optional?: boolean
}

/** Writes one setting into the group at `path`. @throws when the kernel refuses it. */
export async function applySetting(path: string, setting: Setting): Promise<void> {
  try {
    await writeFile(join(path, setting.file), setting.value)
  } catch (error) {
    if (setting.optional !== true) throw error
  }
}
