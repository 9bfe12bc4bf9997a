/** The object that a text of JSON is, or undefined when it is none. */
export function parseObject(json: string | Uint8Array): Record<string, unknown> | undefined {
  try {
    const text = typeof json === 'string' ? json : new TextDecoder().decode(json)
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
