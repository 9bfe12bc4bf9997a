import { createWriteStream } from 'node:fs'
import type { Logger } from 'tideway'
import type { JsonObject } from 'tideway/adapters/kubernetes/objects'
import type { Teardown } from './lifetime.ts'
import type { Setting } from './settings.ts'

/** What waits for a slow disk. Past it, events are dropped and counted. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024

/** Where the requests to the Kubernetes API are written down; off unless it is named. */
export const auditLogSetting: Setting<string | undefined> = {
  help: 'a file that gets one line of JSON (audit.k8s.io/v1 Event) for each request to the Kubernetes API: who, when, what, and the outcome',
  placeholder: 'FILE',
  allowed: 'the path of a file, without NUL characters',
  shown: 'off',
  fallback: () => undefined,
  parse: (text) => (text === '' || text.includes('\0') ? undefined : text),
}

/** Writes events to the end of a file that its user alone may read. Undefined without a path. */
export function openAuditLog(
  path: string | undefined,
  logger: Logger,
  teardown: Teardown,
): ((event: JsonObject) => void) | undefined {
  if (path === undefined) return undefined
  const file = createWriteStream(path, { flags: 'a', mode: 0o600 })
  let dropped = 0
  let isBroken = false
  file.on('error', (error) => {
    isBroken = true
    logger.error('the audit log cannot be written', { path, error })
  })
  file.on('drain', () => {
    if (dropped > 0) logger.warn('events of the audit log were dropped', { path, count: dropped })
    dropped = 0
  })
  teardown.add(
    'audit log',
    () =>
      new Promise<void>((resolve) => {
        if (isBroken) resolve()
        else file.end(() => resolve())
      }),
  )
  return (event) => {
    if (isBroken) return
    if (file.writableLength > WAITING_BYTES_MAX) dropped += 1
    else file.write(`${JSON.stringify(event)}\n`)
  }
}
