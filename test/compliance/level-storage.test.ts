import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { describe, test } from 'vitest'
import { levelStorage } from '../../src/adapters/storage/level/index.ts'
import { recordKey } from '../../src/adapters/storage/level/keys.ts'
import { type StoragePlace, storageSuite } from '../../src/compliance/index.ts'
import type { Storage } from '../../src/core/interfaces/storage.ts'

describe('level storage', () => {
  storageSuite({ test, factory: directoryPlace })
})

async function directoryPlace(): Promise<StoragePlace> {
  const root = await mkdtemp(join(tmpdir(), 'tideway-level-'))
  const opened: Storage[] = []
  let crashes = 0
  const directory = () => join(root, `life-${crashes}`)
  return {
    async open() {
      const storage = await levelStorage({ directory: directory() })
      opened.push(storage)
      return storage
    },
    // The files as they are this moment are what a killed process leaves to the next.
    async crash() {
      const before = directory()
      crashes += 1
      await cp(before, directory(), { recursive: true })
    },
    async corrupt(position) {
      const level = new ClassicLevel<Uint8Array, Uint8Array>(directory(), {
        keyEncoding: 'view',
        valueEncoding: 'view',
      })
      const value = await level.get(recordKey(position))
      if (value === undefined) throw new Error('there is no such record')
      value[value.length - 1] = (value.at(-1) ?? 0) ^ 1
      await level.put(recordKey(position), value)
      await level.close()
    },
    async dispose() {
      for (const storage of opened) await storage.close()
      await rm(root, { recursive: true, force: true })
    },
  }
}
