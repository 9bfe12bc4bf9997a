/** On a sandbox: 0 for the first of its pod, one more for each that followed. */
export const SANDBOX_ATTEMPT = 'tideway.io/sandbox-attempt'
/** On a container: its attempt. */
export const CONTAINER_ATTEMPT = 'tideway.io/container-attempt'
/** On a container: the sandbox whose namespaces it has. */
export const SANDBOX_ID = 'tideway.io/sandbox-id'

/** Selects rows by their labels, as `GET /containers/json` and `GET /events` want it. */
export function labelFilter(
  labels: Readonly<Record<string, string>>,
  over: Readonly<Record<string, readonly string[]>> = {},
): string {
  const words = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  return JSON.stringify({ label: words, ...over })
}
