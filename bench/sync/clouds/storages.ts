import type { Storage } from 'tideway'
import { levelStorage } from 'tideway/adapters/storage/level'
import { memoryStorage } from 'tideway/adapters/storage/memory'

/** LevelDB in a directory, or memory where there is none. */
export function storageIn(directory: string | undefined): Promise<Storage> {
  return directory === undefined ? Promise.resolve(memoryStorage()) : levelStorage({ directory })
}
