import { execFile } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The first Debian release whose etcd is new enough for lists and watches to be consistent. */
const RELEASE = 'trixie'
const MIRROR = 'http://deb.debian.org/debian'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * Fetches the etcd of Debian and unpacks it below a folder, through an apt configuration that
 * lives in that folder too: nothing is installed, and what the machine's own apt knows stays as it
 * is.
 *
 * @returns the path of the program.
 * @throws Error when there is no apt, no network, or no package for this machine.
 */
export async function unpackEtcd(folder: string, signal?: AbortSignal): Promise<string> {
  const options = signal === undefined ? {} : { signal }
  const parts = ['lists/partial', 'archives/partial', 'state', 'etc']
  for (const part of parts) await mkdir(join(folder, part), { recursive: true })
  const sources = join(folder, 'etc', 'sources.list')
  await writeFile(sources, `deb [signed-by=${KEYRING}] ${MIRROR} ${RELEASE} main\n`)
  await writeFile(join(folder, 'state', 'status'), '')
  const settings = {
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': join(folder, 'etc', 'none'),
    'Dir::Etc::preferencesparts': join(folder, 'etc', 'none'),
    'Dir::State': join(folder, 'state'),
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'state', 'status'),
    'Dir::Cache': folder,
    'Dir::Cache::archives': join(folder, 'archives'),
    'Acquire::Languages': 'none',
    'APT::Sandbox::User': '',
  }
  const apt = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`])
  await run('apt-get', [...apt, '-qq', 'update'], options)
  await run('apt-get', [...apt, '-qq', 'download', 'etcd-server'], { ...options, cwd: folder })
  const archive = (await readdir(folder)).find((name) => name.endsWith('.deb'))
  if (archive === undefined) throw new Error('apt fetched no package of etcd')
  const unpacked = join(folder, 'unpacked')
  await run('dpkg', ['-x', join(folder, archive), unpacked], options)
  return join(unpacked, 'usr', 'bin', 'etcd')
}
