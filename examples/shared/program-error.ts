import { isTidewayError, type TidewayError } from 'tideway'
import { missingPackages } from './missing-packages.ts'

/**
 * How the programs end. 0 is a shutdown in good order; 128 and the number of a signal is a second
 * signal that did not want to wait.
 */
export const EXIT = {
  failed: 1,
  usage: 2,
  dataDirectory: 3,
  refused: 4,
  addressInUse: 5,
  unreachable: 6,
} as const

/** What the programs can say went wrong, beside the codes of the library. */
export type ProgramCode =
  | 'SETTING_INVALID'
  | 'SETTING_UNKNOWN'
  | 'DATA_DIRECTORY_LOCKED'
  | 'DATA_DIRECTORY_FOREIGN'
  | 'DATA_DIRECTORY_UNUSABLE'
  | 'PACKAGE_MISSING'
  | 'NOT_JOINED'
  | 'NOT_RUNNING'
  | 'ADDRESS_UNUSABLE'
  | 'CLOUD_UNREACHABLE'
  | 'RUNTIME_UNREACHABLE'
  | 'KUBELET_UNUSABLE'
  | 'CLOUD_FINGERPRINT_MISMATCH'
  | 'CREDENTIALS_REFUSED'
  | 'REQUEST_REFUSED'
  | 'JOIN_TOKEN_MALFORMED'
  | 'JOIN_TOKEN_UNKNOWN'
  | 'JOIN_TOKEN_WRONG'
  | 'JOIN_TOKEN_LOCKED'
  | 'JOIN_TOKEN_USED'
  | 'JOIN_TOKEN_EXPIRED'
  | 'JOIN_NODE_MISMATCH'
  | 'JOIN_REQUEST_INVALID'
  | 'JOIN_TOO_MANY_ATTEMPTS'
  | 'JOIN_FAILED'

/** A failure that the user of a program can do something about. The message says what. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError'
  readonly code: ProgramCode
  readonly exitCode: number
  readonly fields: Readonly<Record<string, unknown>>

  constructor(
    code: ProgramCode,
    exitCode: number,
    message: string,
    options: { readonly fields?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.exitCode = exitCode
    this.fields = options.fields ?? {}
  }
}

/** Any failure as one that the programs can report. */
export function asProgramError(error: unknown, directory: string): ProgramError | undefined {
  if (error instanceof ProgramError) return error
  const missing = packageMissing(error)
  if (missing !== undefined) return missing
  if (isTidewayError(error)) return ofLibrary(error, directory)
  const code = systemCode(error)
  if (isNoRoom(code)) return unusable(directory, NO_ROOM, { cause: error })
  if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL') {
    const place = error instanceof Error && 'address' in error ? describePlace(error) : undefined
    if (place === undefined) return undefined
    return new ProgramError(
      'ADDRESS_UNUSABLE',
      EXIT.addressInUse,
      `cannot listen at ${place}: ${code}; choose another address, or port 0 for a free one`,
      { cause: error },
    )
  }
  return undefined
}

/** A package that could not be loaded, as a failure that says what to install. */
export function packageMissing(error: unknown): ProgramError | undefined {
  const packages = missingPackages(error)
  if (packages.length === 0) return undefined
  const message = `packages are missing; where tideway is installed, do: npm install ${packages.join(' ')}`
  return new ProgramError('PACKAGE_MISSING', EXIT.failed, message, { cause: error })
}

/** The code of an error of the operating system, such as `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

function describePlace(error: Error): string {
  const { address, port } = error as { address?: unknown; port?: unknown }
  return `${String(address)}:${String(port ?? '')}`
}

function ofLibrary(error: TidewayError, directory: string): ProgramError | undefined {
  const options = { fields: error.fields, cause: error }
  switch (error.code) {
    case 'STORAGE_LOCKED':
      return new ProgramError(
        'DATA_DIRECTORY_LOCKED',
        EXIT.dataDirectory,
        `another process has the data directory ${directory} open; stop it, or choose another with --data`,
        options,
      )
    case 'STORAGE_FOREIGN':
      return new ProgramError(
        'DATA_DIRECTORY_FOREIGN',
        EXIT.dataDirectory,
        `the data directory ${directory} belongs to something else (${foreignText(error)}); choose another with --data`,
        options,
      )
    case 'STORAGE_CORRUPT':
    case 'STORAGE_UNAVAILABLE':
      return unusable(
        directory,
        isNoRoom(error.fields['reason']) ? NO_ROOM : error.message,
        options,
      )
    case 'USAGE_INVALID_ARGUMENT':
      if (error.fields['reason'] === undefined || error.fields['port'] === undefined)
        return undefined
      return new ProgramError(
        'ADDRESS_UNUSABLE',
        EXIT.addressInUse,
        `cannot listen at ${String(error.fields['host'])}:${String(error.fields['port'])}: ${String(error.fields['reason'])}`,
        options,
      )
    default:
      return undefined
  }
}

const NO_ROOM = 'no space left on the disk; make room there and start it again'

/** Whether it failed because there is no room on the disk of the data directory. */
export function isDiskFull(error: unknown): boolean {
  return isNoRoom(isTidewayError(error) ? error.fields['reason'] : systemCode(error))
}

function isNoRoom(code: unknown): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT'
}

function unusable(
  directory: string,
  why: string,
  options: ConstructorParameters<typeof ProgramError>[3],
): ProgramError {
  const message = `the data directory ${directory} cannot be used: ${why}`
  return new ProgramError('DATA_DIRECTORY_UNUSABLE', EXIT.dataDirectory, message, options)
}

function foreignText(error: TidewayError): string {
  const { found, wanted } = error.fields
  if (found === undefined || wanted === undefined) return error.message
  return `to the replica ${String(found)}, not ${String(wanted)}`
}
