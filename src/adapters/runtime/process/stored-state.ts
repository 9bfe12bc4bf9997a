import { mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { namesIn } from '../atomic-file.ts'
import { isScarce, type Patience, patiently } from './scarcity.ts'

/** What {@link openStored} works with. */
export interface StoredPlace extends Patience {
  /** Where the state of sandboxes and containers lives. */
  readonly directory: string
}

/**
 * Opens what earlier drivers have stored, one after the other. What is damaged is set aside, so that it
 * does not hide the rest; what cannot be read because something is scarce is not damaged.
 *
 * @param open opens one by its name. Called again after it failed because something is scarce.
 * @throws the system's error while something stays scarce: what is stored is as it was.
 */
export async function openStored(
  place: StoredPlace,
  kind: 'sandboxes' | 'containers',
  open: (id: string) => Promise<void>,
): Promise<void> {
  const ids = await patiently(place, () => namesIn(join(place.directory, kind)))
  for (const id of ids) {
    try {
      await patiently(place, () => open(id))
    } catch (error) {
      if (isScarce(error)) throw error
      await setAside(place, join(kind, id), error)
    }
  }
}

async function setAside(
  { directory, clock, logger }: StoredPlace,
  path: string,
  error: unknown,
): Promise<void> {
  const name = `${path.replaceAll('/', '-')}-${clock.wallMs()}`
  const aside = join(directory, 'damaged', name)
  logger.error('stored state is damaged: set aside', { path, aside, error })
  await mkdir(dirname(aside), { recursive: true, mode: 0o700 })
  await rename(join(directory, path), aside)
}
