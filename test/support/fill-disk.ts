import { open } from 'node:fs/promises'

const STEP_BYTES = 2 ** 20

/** Takes what room there is on the file system of a file, to the last byte. */
export async function fillDisk(path: string): Promise<void> {
  const file = await open(path, 'a')
  try {
    for (let bytes = STEP_BYTES; bytes > 0; ) {
      const written = await file.write(new Uint8Array(bytes)).catch((error: unknown) => {
        if ((error as { code?: string }).code !== 'ENOSPC') throw error
        return undefined
      })
      if (written === undefined) bytes = Math.floor(bytes / 2)
    }
  } finally {
    await file.close()
  }
}
