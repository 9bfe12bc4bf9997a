import { existsSync } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** A name that belongs to one process at a time, and to nobody once that is gone. */
const NAME = '\0tideway-test-podman'
const LOCKS = '/dev/shm/libpod_lock'
/** Where podman of root remembers its containers, unless it is told another place as ours is. */
const STORES = ['bolt_state.db', '../db.sql'].map((name) =>
  join('/var/lib/containers/storage/libpod', name),
)
const PROGRAMS = /^(podman|conmon)$/
const LOOK_MS = 200

/**
 * Waits until no other test has a podman of its own. All podmans of root share one table of locks,
 * which a new one empties, whoever holds them.
 *
 * @returns how to let the next one go on.
 * @throws Error when somebody else uses podman on this machine.
 */
export async function aloneWithPodman(): Promise<() => Promise<void>> {
  const server = createServer()
  const isOurs = (): Promise<boolean> =>
    new Promise((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(NAME, () => {
        server.removeAllListeners('error')
        resolve(true)
      })
    })
  while (!(await isOurs())) await delay(LOOK_MS)
  server.unref()
  const end = async (): Promise<void> => {
    await rm(LOCKS, { force: true })
    await new Promise((resolve) => {
      server.close(resolve)
    })
  }
  // A test that was killed leaves it to nobody.
  if (!existsSync(LOCKS) || !(await isUsedByOthers())) return end
  server.close()
  throw new Error(`somebody else uses podman on this machine: there is ${LOCKS}`)
}

async function isUsedByOthers(): Promise<boolean> {
  if (STORES.some((path) => existsSync(path))) return true
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const names = pids.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => ''))
  return (await Promise.all(names)).some((name) => PROGRAMS.test(name.trim()))
}
