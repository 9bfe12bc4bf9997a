// Adds to package-lock.json the builds of tools for machines other than this one, where npm left
// them out (it does when the registry it asks serves only some of them). Without them `npm ci`
// refuses the lock file. Run it after `npm install`; it changes nothing when nothing is missing.

import { readFileSync, writeFileSync } from 'node:fs'

const FILE = 'package-lock.json'
const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony']
const PROCESSORS = [
  'arm',
  'arm64',
  'ia32',
  'loong64',
  'mips64el',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
]

const lock = JSON.parse(readFileSync(FILE, 'utf8'))
const locked = new Set(Object.keys(lock.packages).map((path) => path.split('node_modules/').pop()))
const added = []
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (locked.has(name)) continue
    if (!/^\d+\.\d+\.\d+/.test(version)) throw new Error(`${name} of ${path} has no exact version`)
    const machine = machineOf(name)
    if (machine === undefined) throw new Error(`${name} of ${path} names no machine`)
    const dev = entry.dev === true ? { dev: true } : {}
    lock.packages[`node_modules/${name}`] = { version, ...machine, ...dev, optional: true }
    locked.add(name)
    added.push(name)
  }
}
if (added.length > 0) {
  const paths = Object.keys(lock.packages).sort((a, b) => a.localeCompare(b, 'en'))
  lock.packages = Object.fromEntries(paths.map((path) => [path, lock.packages[path]]))
  writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`)
}
console.log(`lock: added ${added.length} builds`)

/** Which machines a build is for, as its name says: `cli-linux-x64-musl`, `rollup-win32-x64-msvc`. */
function machineOf(name) {
  const words = name.split(/[-/]/)
  const os = words.find((word) => word === 'win32' || SYSTEMS.includes(word))
  const cpu = words.find((word) => PROCESSORS.includes(word))
  if (os === undefined || cpu === undefined) return undefined
  const isMusl = words.some((word) => word.startsWith('musl'))
  const libc = os === 'linux' ? { libc: [isMusl ? 'musl' : 'glibc'] } : {}
  return { cpu: [cpu], ...libc, os: [os] }
}
