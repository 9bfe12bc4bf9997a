import { isTidewayError, type Logger, type Storage, systemClock } from 'tideway'

/** A full disk that takes a small write now and then is still full. */
const QUIET_MS = 10_000

/** A storage whose full disk is told in the log of the program, once, and once that there is room again. */
export function toldStorage(storage: Storage, directory: string, logger: Logger): Storage {
  let refusedAtMs: number | undefined
  const told = async <Result>(write: () => Promise<Result>): Promise<Result> => {
    try {
      const result = await write()
      if (refusedAtMs !== undefined && systemClock.monotonicMs() - refusedAtMs > QUIET_MS) {
        refusedAtMs = undefined
        logger.info('there is room on the disk of the data directory again', { directory })
      }
      return result
    } catch (error) {
      if (!isNoRoom(error)) throw error
      if (refusedAtMs === undefined) logger.error(FULL, { directory, effect: EFFECT })
      refusedAtMs = systemClock.monotonicMs()
      throw error
    }
  }
  const { erase, shrink, sizeBytes, revision, tail } = storage
  return {
    name: storage.name,
    supports: storage.supports,
    ...(storage.opener === undefined ? {} : { opener: storage.opener }),
    append: (batch) => told(() => storage.append(batch)),
    head: () => storage.head(),
    read: (query) => storage.read(query),
    get: (keys) => storage.get(keys),
    scan: (prefix, range) => storage.scan(prefix, range),
    drop: (positions) => storage.drop(positions),
    ...(erase && { erase: (first, last) => erase.call(storage, first, last) }),
    ...(shrink && { shrink: () => shrink.call(storage) }),
    ...(sizeBytes && { sizeBytes: () => sizeBytes.call(storage) }),
    ...(revision && { revision: () => revision.call(storage) }),
    ...(tail && { tail: (listener) => tail.call(storage, listener) }),
    close: () => storage.close(),
  }
}

const FULL = 'no space left on the disk of the data directory'
const EFFECT = 'writes are refused until there is room; what is there is read, and pods run on'

function isNoRoom(error: unknown): boolean {
  if (!isTidewayError(error) || error.code !== 'STORAGE_UNAVAILABLE') return false
  return ['ENOSPC', 'EDQUOT'].includes(String(error.fields['reason']))
}
