import type { Logger } from 'tideway'
import type { JsonObject } from 'tideway/adapters/kubernetes/objects'
import { AuditFile } from './audit-file.ts'
import type { Teardown } from './lifetime.ts'
import type { Setting, Values } from './settings.ts'

const MEGABYTE = 1024 * 1024
const NUMBER_MAX = 1_000_000

/** Where the requests to the Kubernetes API are written down, and how much; named as kube-apiserver does. */
export const auditSettings: {
  readonly auditLog: Setting<string | undefined>
  readonly auditLogMaxsize: Setting<number>
  readonly auditLogMaxbackup: Setting<number>
  readonly auditLogMaxage: Setting<number>
} = {
  auditLog: {
    help: 'a file that gets one line of JSON (audit.k8s.io/v1 Event) for each request to the Kubernetes API: who, when, what, and the outcome; SIGHUP opens it anew',
    placeholder: 'FILE',
    allowed: 'the path of a file, without NUL characters',
    shown: 'off',
    fallback: () => undefined,
    parse: (text) => (text === '' || text.includes('\0') ? undefined : text),
  },
  auditLogMaxsize: countSetting(
    'the size at which the audit log is put aside, with the time in its name',
    'MEGABYTES',
    { min: 1, fallback: 100 },
  ),
  auditLogMaxbackup: countSetting(
    'how many audit logs that were put aside are kept; 0 for all',
    'COUNT',
    { min: 0, fallback: 10 },
  ),
  auditLogMaxage: countSetting(
    'for how long audit logs that were put aside are kept; 0 for ever',
    'DAYS',
    { min: 0, fallback: 0 },
  ),
}

function countSetting(
  help: string,
  placeholder: string,
  { min, fallback }: { readonly min: number; readonly fallback: number },
): Setting<number> {
  return {
    help,
    placeholder,
    allowed: `a whole number from ${min} to ${NUMBER_MAX}`,
    shown: String(fallback),
    fallback: () => fallback,
    parse: (text) => {
      const value = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN
      return value >= min && value <= NUMBER_MAX ? value : undefined
    },
  }
}

/** Writes events where the settings say. Undefined when they name no file. */
export function openAuditLog(
  settings: Values<typeof auditSettings>,
  logger: Logger,
  teardown: Teardown,
): ((event: JsonObject) => void) | undefined {
  const { auditLog, auditLogMaxsize, auditLogMaxbackup, auditLogMaxage } = settings
  if (auditLog === undefined) return undefined
  const limits = {
    bytesMax: auditLogMaxsize * MEGABYTE,
    backupsMax: auditLogMaxbackup,
    daysMax: auditLogMaxage,
  }
  const file = new AuditFile(auditLog, limits, logger)
  const reopen = (): void => file.reopen()
  process.on('SIGHUP', reopen)
  teardown.add('audit log', async () => {
    process.off('SIGHUP', reopen)
    await file.close()
  })
  return (event) => file.write(JSON.stringify(event))
}
