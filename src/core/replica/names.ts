import { utf8 } from '../bytes.ts'
import { UsageError } from '../errors.ts'

/**
 * Checks a name of ours: not empty, within `bytesMax` bytes of UTF-8, no control characters.
 *
 * @throws UsageError that says which field, what was wrong and what is allowed.
 */
export function checkName(field: string, name: string, bytesMax: number): string {
  const bytes = utf8(name).length
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  if (bytes === 0 || bytes > bytesMax || /[\u0000-\u001f]/.test(name)) {
    throw new UsageError(
      'USAGE_INVALID_ARGUMENT',
      `${field} must be 1 to ${bytesMax} bytes without control characters`,
      {
        field,
        bytes,
      },
    )
  }
  return name
}
