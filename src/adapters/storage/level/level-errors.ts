import {
  isTidewayError,
  StorageCorruptError,
  StorageLockedError,
  StorageUnavailableError,
  type TidewayError,
} from '../../../core/errors.ts'

// LevelDB reports only the text of strerror(3); these are the texts of the cases that people meet.
const REASONS: readonly (readonly [string, string])[] = [
  ['No space left on device', 'ENOSPC'],
  ['Disk quota exceeded', 'EDQUOT'],
  ['Permission denied', 'EACCES'],
  ['Operation not permitted', 'EPERM'],
  ['Read-only file system', 'EROFS'],
  ['Too many open files', 'EMFILE'],
  ['Input/output error', 'EIO'],
  ['File too large', 'EFBIG'],
]

/** Says in terms of this package what LevelDB or the file system refused. */
export function storageErrorOf(error: unknown, directory: string): TidewayError {
  if (isTidewayError(error)) return error
  const causes = chainOf(error)
  const codes = causes.map(codeOf)
  if (codes.includes('LEVEL_LOCKED')) {
    return new StorageLockedError(
      'another process has this directory open: stop it, or use a directory of your own',
      { fields: { directory }, cause: error },
    )
  }
  if (codes.includes('LEVEL_CORRUPTION')) {
    return new StorageCorruptError('LevelDB found its own files damaged', {
      fields: { position: undefined, directory },
      cause: error,
    })
  }
  const reason = reasonOf(causes)
  return new StorageUnavailableError(messageOf(reason), {
    fields: { directory, reason },
    cause: error,
  })
}

function messageOf(reason: string): string {
  const isFull = reason === 'ENOSPC' || reason === 'EDQUOT'
  if (isFull) return 'no space left on the disk that holds the log: make room there'
  return 'the directory cannot be read or written'
}

// The text names the cause best; without a known text the deepest code is the closest.
function reasonOf(causes: readonly unknown[]): string {
  for (const cause of causes) {
    const text = cause instanceof Error ? cause.message : String(cause)
    const known = REASONS.find(([words]) => text.includes(words))
    if (known !== undefined) return known[1]
  }
  return causes.map(codeOf).findLast((code) => code !== undefined) ?? 'unknown'
}

const CAUSES_MAX = 5

function chainOf(error: unknown): readonly unknown[] {
  const chain: unknown[] = []
  let next = error
  while (next !== undefined && next !== null && chain.length < CAUSES_MAX) {
    chain.push(next)
    next = next instanceof Error ? next.cause : undefined
  }
  return chain
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
