import { isAbsolute } from 'node:path'
import { type ContainerSpec, RuntimeError, type SandboxSpec } from '../index.ts'
import { LIMITS } from './limits.ts'

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/
/** The largest number stands for nobody in particular. */
const ID_MAX = 2 ** 32 - 2
const UID = /^[A-Za-z0-9][-A-Za-z0-9._]{0,127}$/

/** Refuses a sandbox whose values would end up in paths that they must not reach. */
export function checkSandbox(spec: SandboxSpec): void {
  require(UID.test(spec.uid), 'uid has to be 1 to 128 letters, digits, ".", "-" or "_"', spec.uid)
  require(isAbsolute(spec.directory), 'directory has to be an absolute path', spec.directory)
}

/** Refuses a container that cannot be started as it stands. */
export function checkContainer(spec: ContainerSpec): void {
  require(NAME.test(spec.name), 'name has to be a DNS label', spec.name)
  require(Number.isSafeInteger(spec.attempt) &&
    spec.attempt >= 0, 'attempt has to be a whole number from 0', String(spec.attempt))
  require(isAbsolute(spec.logPath), 'logPath has to be an absolute path', spec.logPath)
  const words = [...spec.command, ...spec.args]
  const bytes = words.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0)
  require(bytes <=
    LIMITS.commandBytesMax, `command and args may take ${LIMITS.commandBytesMax} bytes`, `${bytes} bytes`)
  for (const mount of spec.mounts) {
    require(isAbsolute(mount.source), 'mounts[].source has to be an absolute path', mount.source)
    // The mount point of the whole system is no place for one volume.
    require(!/^\/*$/.test(mount.path), 'mounts[].path may not be /', mount.path)
  }
  const { uid, gid, groups = [], addCapabilities = [] } = spec.security ?? {}
  for (const id of [uid ?? 0, gid ?? 0, ...groups])
    require(Number.isInteger(id) &&
      id >= 0 &&
      id <= ID_MAX, `users and groups are whole numbers from 0 to ${ID_MAX}`, String(id))
  const odd = addCapabilities.find((name) => !/^[A-Za-z0-9_]{1,64}$/.test(name))
  require(odd === undefined, 'capabilities are letters, digits and "_"', odd ?? '')
  const score = spec.limits.oomScoreAdjust ?? 0
  require(Number.isInteger(score) &&
    Math.abs(score) <= 1000, 'oomScoreAdjust is from -1000 to 1000', String(score))
  const texts = [...words, ...Object.entries(spec.env).flat(), spec.workingDir ?? '']
  require(!texts.some((text) => text.includes('\0')), 'NUL bytes are not allowed', spec.name)
  const names = Object.keys(spec.env)
  const bad = names.find((name) => name === '' || name.includes('='))
  require(bad === undefined, 'names in env may not be empty or contain "="', bad ?? '')
}

function require(holds: boolean, rule: string, found: string): void {
  if (!holds) throw new RuntimeError('InvalidSpec', `${rule}, not ${JSON.stringify(found)}`)
}
