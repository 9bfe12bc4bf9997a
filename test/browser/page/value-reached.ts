import { type DocumentHandle, equalValues, type JsonMap } from 'tideway'

/** Resolves when a document has the value that a JSON text says. */
export function valueReached(handle: DocumentHandle<JsonMap>, json: string): Promise<void> {
  const value = JSON.parse(json) as JsonMap
  return new Promise((resolve) => {
    const look = () => {
      if (!equalValues(handle.value, value)) return
      cancel()
      resolve()
    }
    const cancel = handle.subscribe(look)
    look()
  })
}
