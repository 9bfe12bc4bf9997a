import { isTidewayError } from '../../../core/index.ts'
import { ObjectError, type ObjectKey } from './types.ts'

/** Errors of the engine in the words of Kubernetes. */
export async function translated<T>(key: ObjectKey, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isTidewayError(error)) throw error
    switch (error.code) {
      case 'VALUE_UNSUPPORTED': {
        const field = String(error.fields['path'] ?? '')
        const causes = [{ reason: 'FieldValueInvalid' as const, field, message: error.message }]
        throw new ObjectError('Invalid', error.message, { key, causes, cause: error })
      }
      case 'DOCUMENT_TOO_LARGE':
        throw new ObjectError('RequestEntityTooLarge', error.message, { key, cause: error })
      case 'DOCUMENT_DELETED':
        throw new ObjectError('NotFound', `${key.resource} "${key.name}" not found`, {
          key,
          cause: error,
        })
      default:
        throw new ObjectError('ServiceUnavailable', error.message, { key, cause: error })
    }
  }
}
