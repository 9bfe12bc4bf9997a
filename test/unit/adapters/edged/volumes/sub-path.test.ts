import {
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeAtomicDirectory } from '../../../../../src/adapters/edged/volumes/atomic-directory.ts'
import {
  containerMounts,
  volumeDirectory,
} from '../../../../../src/adapters/edged/volumes/pod-volumes.ts'
import { findBelow, subPathOf } from '../../../../../src/adapters/edged/volumes/sub-path.ts'
import { pod } from '../pods.ts'

describe('a part of a volume', () => {
  test.each([
    [{}, ''],
    [{ subPath: 'a/b' }, 'a/b'],
    [{ subPath: 'of/$(NAME)' }, 'of/$(NAME)'],
    [{ subPathExpr: 'of/$(NAME)' }, 'of/web'],
    [{ subPathExpr: '$$(NAME)' }, '$(NAME)'],
  ])('%j is %j', (mount, path) => {
    expect(subPathOf(mount, { NAME: 'web' })).toEqual({ path })
  })

  test.each([
    [{ subPathExpr: 'of/$(NOBODY)' }, 'missing value for NOBODY'],
    [{ subPathExpr: '$(ROOT)' }, 'error SubPath `/etc` must not be an absolute path'],
    [{ subPath: 'a/../..' }, "unable to provision SubPath `a/../..`: must not contain '..'"],
  ])('%j is refused', (mount, problem) => {
    expect(subPathOf(mount, { ROOT: '/etc' }).problem).toBe(problem)
  })
})

describe('what is at a path below a volume', () => {
  let folder: string
  let volume: string

  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'sub-path-')))
    volume = join(folder, 'volume')
    await mkdir(join(volume, 'in'), { recursive: true, mode: 0o755 })
    await mkdir(join(folder, 'outside'))
    await writeFile(join(folder, 'outside', 'secret'), '')
  })

  afterEach(async () => {
    await rm(folder, { recursive: true })
  })

  test('is made where it is missing, as the volume is', async () => {
    const path = join(volume, 'new', 'one')
    expect(await findBelow(volume, path, true)).toBe(path)
    expect((await stat(join(volume, 'new'))).mode).toBe((await stat(volume)).mode)
  })

  test('may be a link to another part of it', async () => {
    await symlink('in', join(volume, 'link'))
    expect(await findBelow(volume, join(volume, 'link'), true)).toBe(join(volume, 'in'))
  })

  test.each([
    ['a directory', 'outside'],
    ['a file', 'outside/secret'],
    ['what is not there', 'outside/later'],
    ['the volume beside it', 'volume-of-another'],
  ])('is not a link to %s outside', async (_what, target) => {
    await symlink(join(folder, target), join(volume, 'link'))
    expect(await findBelow(volume, join(volume, 'link'), true)).toBeUndefined()
    expect(await findBelow(volume, join(volume, 'link', 'below'), true)).toBeUndefined()
    expect(await readlink(join(volume, 'link'))).toBe(join(folder, target))
    const isMade = await stat(join(folder, 'outside', 'below')).catch(() => undefined)
    expect(isMade).toBeUndefined()
  })

  test('is no link to itself, and nothing that is missing where nothing may be made', async () => {
    await symlink('round', join(volume, 'round'))
    expect(await findBelow(volume, join(volume, 'round'), true)).toBeUndefined()
    expect(await findBelow(volume, join(volume, 'missing'), false)).toBeUndefined()
  })

  test('is where it was when the files of the volume are replaced', async () => {
    const write = async (text: string): Promise<void> => {
      const file = { bytes: Buffer.from(text), mode: 0o644 }
      await writeAtomicDirectory(volumeDirectory(folder, 'config'), new Map([['key', file]]))
    }
    const volumeMounts = [{ name: 'config', mountPath: '/key', subPath: 'key' }]
    const view = pod({
      containers: [{ name: 'main', volumeMounts }],
      volumes: [{ name: 'config', configMap: { name: 'app' } }],
    })
    const [container] = view.containers
    if (container === undefined) throw new Error('a container is missing')
    await write('old')
    const { mounts } = await containerMounts(view, container, folder, {})
    await write('new')
    // Where nothing can be mounted, a link leads a process there.
    expect(await readFile(mounts[0]?.source ?? '', 'utf8')).toBe('new')
  })
})
