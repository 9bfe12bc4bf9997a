import { describe, expect, test } from 'vitest'

import type { KubeObject, ObjectKey } from '../../../../../src/adapters/kubernetes/objects/index.ts'
import { MemoryMedium, memoryStorage } from '../../../../../src/adapters/storage/memory/index.ts'
import { openTestReplica, openTestStore } from '../../../../support/fleet.ts'

const POD: ObjectKey = { resource: 'pods', namespace: 'default', name: 'web' }

function configMap(name: string, value: string): KubeObject {
  const metadata = { name, namespace: 'default' }
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { value } }
}

const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
  spec: { nodeName: 'edge-1', containers: [{ name: 'c', image: 'x', env: [] }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
}

/** One life of a store on a medium. */
async function life<T>(
  medium: MemoryMedium,
  run: (
    store: Awaited<ReturnType<typeof openTestStore>>,
    replica: Awaited<ReturnType<typeof openTestReplica>>,
  ) => Promise<T>,
): Promise<T> {
  const replica = await openTestReplica({ storage: memoryStorage({ medium }) })
  const store = await openTestStore(replica)
  try {
    return await run(store, replica)
  } finally {
    await store.close()
    await replica.close()
  }
}

async function rowsOf(medium: MemoryMedium): Promise<Map<string, Uint8Array>> {
  const storage = memoryStorage({ medium })
  const rows = new Map<string, Uint8Array>()
  for await (const { key, value } of storage.scan('v/')) rows.set(key, value)
  await storage.close()
  return rows
}

describe('objects that were shown before', () => {
  test('are shown again without opening a document, as they were', async () => {
    const medium = new MemoryMedium()
    const before = await life(medium, async (store) => {
      await store.create(pod)
      for (let i = 0; i < 20; i += 1) await store.create(configMap(`m${i}`, 'v'))
      return [store.get(POD), ...store.list('configmaps').items]
    })
    await life(medium, async (store, replica) => {
      expect(replica.usage.documents).toBe(0)
      const after = [store.get(POD), ...store.list('configmaps').items]
      expect(JSON.stringify(after)).toBe(JSON.stringify(before))
      expect(Object.isFrozen(store.get(POD)?.['spec'])).toBe(true)
    })
  })

  test('are read anew when a document has changed since', async () => {
    const medium = new MemoryMedium()
    await life(medium, async (store) => {
      for (const name of ['a', 'b', 'c']) await store.create(configMap(name, 'old'))
    })
    const replica = await openTestReplica({ storage: memoryStorage({ medium }) })
    const handle = await replica.open<{ data: { value: string } }>('configmaps/default/b/1/desired')
    handle.change((draft) => {
      draft.data.value = 'new'
    })
    await handle.durable()
    await replica.delete('configmaps/default/c/1/desired')
    await handle.close()
    await replica.close()
    await life(medium, async (store) => {
      const values = store.list('configmaps').items.map((item) => item['data'])
      expect(values).toEqual([{ value: 'old' }, { value: 'new' }])
    })
    const keys = [...(await rowsOf(medium)).keys()].map((key) => key.split('\u0000')[1])
    expect(keys).toEqual(['configmaps/default/a/1/desired', 'configmaps/default/b/1/desired'])
  })

  test('are read anew when their rows are damaged or gone', async () => {
    const medium = new MemoryMedium()
    await life(medium, async (store) => {
      for (const name of ['a', 'b', 'c']) await store.create(configMap(name, 'v'))
    })
    const [first, second] = [...(await rowsOf(medium)).keys()]
    const storage = memoryStorage({ medium })
    await storage.append({
      records: [],
      puts: [
        { key: first ?? '', value: new TextEncoder().encode('{"object":') },
        { key: second ?? '', value: undefined },
      ],
    })
    await storage.close()
    await life(medium, async (store) => {
      expect(store.list('configmaps').items.map((item) => item.metadata.name)).toEqual([
        'a',
        'b',
        'c',
      ])
    })
  })
})
