import { type ImageStatus, type RegistryLogin, RuntimeError } from './index.ts'

/**
 * Pulls an image with one login after the other until one is let in; without any, as nobody.
 *
 * @param pull pulls it once, and gives what is there then.
 * @throws what the last attempt failed with: what the registry said to that one says most.
 */
export async function pullWithLogins(
  reference: string,
  logins: readonly RegistryLogin[],
  pull: (login: RegistryLogin | undefined) => Promise<ImageStatus | undefined>,
): Promise<ImageStatus> {
  let failure: unknown
  for (const login of logins.length === 0 ? [undefined] : logins) {
    try {
      const found = await pull(login)
      if (found !== undefined) return found
      failure = new RuntimeError('PullFailed', `the image "${reference}" is gone again`)
    } catch (error) {
      failure = error
    }
  }
  throw failure
}
