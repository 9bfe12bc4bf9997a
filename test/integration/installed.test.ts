import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))
const PROGRAMS = ['cloudcore', 'edgecore'] as const
const run = promisify(execFile)

interface Manifest {
  readonly version: string
  readonly bin: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
}

let folder: string
let manifest: Manifest

/** The package as npm packs it, in a folder with what it depends on and none of its optional peers. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tideway-installed-'))
  const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder]
  const { stdout } = await run('npm', pack, { cwd: REPOSITORY })
  const installed = join(folder, 'node_modules', 'tideway')
  await mkdir(installed, { recursive: true })
  const archive = join(folder, stdout.trim())
  await run('tar', ['-xzf', archive, '-C', installed, '--strip-components=1'])
  manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as Manifest
  for (const name of Object.keys(manifest.dependencies)) await install(name)
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** As npm would, but from what the repository has. */
async function install(name: string): Promise<void> {
  const target = join(folder, 'node_modules', name)
  await mkdir(dirname(target), { recursive: true })
  await symlink(join(REPOSITORY, 'node_modules', name), target)
}

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function ask(program: (typeof PROGRAMS)[number], ...args: readonly string[]): Promise<Ended> {
  const main = join(folder, 'node_modules', 'tideway', manifest.bin[program] ?? program)
  return run(process.execPath, [main, ...args], { cwd: folder }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    // What execFile rejects with has all of these.
    (error: unknown) => error as Ended,
  )
}

test.each(PROGRAMS)('%s tells of itself before anything else is installed', async (program) => {
  const help = await ask(program, '--help')
  expect(help).toMatchObject({ code: 0, stderr: '' })
  expect(help.stdout).toContain(`Usage: ${program}`)
  const version = await ask(program, '--version')
  expect(version).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' })
})

test('what is missing is said in one line, with how to install it', async () => {
  const data = join(folder, 'data')
  const needed = 'npm install ws classic-level @peculiar/x509 reflect-metadata'
  const missing = (program: string, words: string): string =>
    `${program}: packages are missing; where tideway is installed, do: ${words} [PACKAGE_MISSING]\n`
  const asked = [
    ['cloudcore', '--data', data],
    ['edgecore', '--data', data, '--token', 'any'],
    ['edgecore', 'join', '--data', data, '--token', 'any'],
  ] as const
  for (const [program, ...args] of asked) {
    const ended = await ask(program, ...args)
    expect(ended).toMatchObject({ code: 1, stdout: '', stderr: missing(program, needed) })
  }
  expect(existsSync(data)).toBe(false)

  await install('ws')
  await install('reflect-metadata')
  const stop = await ask('edgecore', 'stop-pods', '--data', data)
  const rest = missing('edgecore', 'npm install classic-level @peculiar/x509')
  expect(stop).toMatchObject({ code: 1, stdout: '', stderr: rest })
  const started = await ask('cloudcore', '--data', data, '--log-format', 'json')
  expect(started).toMatchObject({ code: 1, stdout: '' })
  const lines = started.stderr.trim().split('\n')
  const errors = lines.filter((line) => line.includes('"level":"error"'))
  expect(errors).toHaveLength(1)
  expect(errors[0]).toContain('npm install classic-level @peculiar/x509')
  expect(errors[0]).not.toContain('"stack"')
})
