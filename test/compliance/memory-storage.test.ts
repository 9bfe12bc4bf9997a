import { describe, test } from 'vitest'
import { MemoryMedium, memoryStorage } from '../../src/adapters/storage/memory/index.ts'
import { type StoragePlace, storageSuite } from '../../src/compliance/index.ts'

describe('memory storage', () => {
  storageSuite({
    test,
    factory: () => {
      const medium = new MemoryMedium()
      return {
        open: async () => memoryStorage({ medium, durable: false }),
        dispose: async () => undefined,
      }
    },
  })
})

describe('memory storage on a simulated disk', () => {
  storageSuite({ test, factory: () => simulatedDisk(false) })
})

describe('memory storage that several share', () => {
  storageSuite({ test, factory: () => simulatedDisk(true) })
})

function simulatedDisk(shared: boolean): StoragePlace {
  const medium = new MemoryMedium()
  let isFull = false
  const sync = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    if (isFull) throw new Error('the simulated disk is full')
  }
  return {
    open: async () => memoryStorage({ medium, sync, shared }),
    crash: async () => medium.unlock(),
    corrupt: async (position) => medium.corrupt(position),
    refuse: async () => {
      isFull = true
      return async () => {
        isFull = false
      }
    },
    dispose: async () => undefined,
  }
}
