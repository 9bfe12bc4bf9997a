/** What the README says runs in browsers. */
export const BROWSER_SUBPATHS: readonly string[] = [
  'tideway',
  'tideway/transports/memory',
  'tideway/transports/websocket',
  'tideway/adapters/storage/memory',
  'tideway/adapters/storage/indexeddb',
  'tideway/adapters/reconciler',
  'tideway/adapters/kubernetes/objects',
  'tideway/adapters/runtime',
  'tideway/inspect',
  'tideway/compliance',
]
