import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type Image, imageOf } from './image.ts'
import type { TarEntry } from './tar.ts'

/** What holds the namespaces of a pod. */
export const PAUSE_IMAGE = 'localhost/pause:1'
/** A shell with the usual commands; users `root` and `app` (1000). Runs `sh` by default. */
export const SHELL_IMAGE = 'localhost/shell:1'

const BUSYBOX = '/usr/bin/busybox'
const CATATONIT = '/usr/bin/catatonit'
const DIRECTORIES = ['bin', 'tmp', 'root', 'etc', 'proc', 'sys', 'dev', 'run', 'var'] as const

/** Waits for signals and for its children: Debian's static `catatonit`. */
export function pauseImage(): Image {
  const entries = [{ name: 'pause', body: readFileSync(CATATONIT) }]
  return imageOf({ name: PAUSE_IMAGE, entries, config: { Entrypoint: ['/pause', '-P'] } })
}

/** Debian's static busybox under all its names. */
export function shellImage(
  name: string = SHELL_IMAGE,
  config: Readonly<Record<string, unknown>> = {},
): Image {
  const commands = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n')
  const text = (path: string, body: string): TarEntry => ({
    name: path,
    body: Buffer.from(body),
    mode: 0o644,
  })
  const entries: readonly TarEntry[] = [
    ...DIRECTORIES.map((each) => ({
      name: `${each}/`,
      type: 'directory' as const,
      mode: each === 'tmp' ? 0o1777 : 0o755,
    })),
    { name: 'bin/busybox', body: readFileSync(BUSYBOX) },
    text('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/tmp:/bin/sh\n'),
    text('etc/group', 'root:x:0:\napp:x:1000:\n'),
    ...commands
      .filter((each) => each !== 'busybox')
      .map((each) => ({ name: `bin/${each}`, type: 'link' as const, target: 'busybox' })),
  ]
  const usual = { Cmd: ['/bin/sh'], Env: ['PATH=/bin:/usr/bin:/sbin'], WorkingDir: '/' }
  return imageOf({ name, entries, config: { ...usual, ...config } })
}
