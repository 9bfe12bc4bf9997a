import type {
  ContainerSecurity,
  RuntimeFeatures,
  SecurityField,
} from '../adapters/runtime/index.ts'
import { check, checkEqual } from './check.ts'
import type { RuntimeCheck, RuntimeScene } from './runtime-fixture.ts'

/** Longer than any command of these checks takes. */
const COMMAND_MS = 60_000
const STATUS = 'cat /proc/self/status'
/** NET_BIND_SERVICE alone, as the kernel writes a set of capabilities. */
const ONE_CAPABILITY = '0000000000000400'
const NO_CAPABILITY = '0000000000000000'
const CHOWN_BIT = 1n

/** What is promised of security contexts, each where the runtime supports what is asked for. */
export const securityChecks: readonly RuntimeCheck[] = [
  {
    name: 'a container has the user and the groups that it asks for, and so have commands in it',
    when: needs('uid', 'gid', 'groups'),
    async run(scene) {
      const script = 'echo $(id -u) $(id -g) $(id -G)'
      const security = { uid: 4711, gid: 4712, groups: [4713, 4714] }
      const seen = await seenIn(scene, script, security)
      checkEqual(seen, pair('4711 4712 4712 4713 4714'), 'who they are')
    },
  },
  {
    name: 'another user opens its stdout and stderr by name, and so does a command in it',
    when: needs('uid'),
    async run(scene) {
      const script = 'echo one > /dev/stdout; echo two > /dev/stderr'
      const seen = await seenIn(scene, script, { uid: 4711 })
      checkEqual([words(seen.container), words(seen.command)], ['one two', 'one two'], 'output')
    },
  },
  {
    name: 'another user has no capabilities that it could use',
    when: needs('uid'),
    async run(scene) {
      const seen = await seenIn(scene, STATUS, { uid: 4711 })
      for (const text of [seen.container, seen.command])
        checkEqual(textIn(text, 'CapEff'), NO_CAPABILITY, 'effective capabilities')
    },
  },
  {
    name: 'of all capabilities only those that are added after ALL are dropped are left',
    when: needs('addCapabilities', 'dropCapabilities'),
    async run(scene) {
      const security = { dropCapabilities: ['ALL'], addCapabilities: ['NET_BIND_SERVICE'] }
      const seen = await seenIn(scene, STATUS, security)
      for (const text of [seen.container, seen.command])
        checkEqual(textIn(text, 'CapBnd'), ONE_CAPABILITY, 'the bounds')
    },
  },
  {
    name: 'one capability that is dropped is gone, and privileged has them all',
    when: needs('dropCapabilities', 'privileged'),
    async run(scene) {
      const less = await seenIn(scene, STATUS, { dropCapabilities: ['CHOWN'] })
      const other = { name: 'other', uid: crypto.randomUUID(), security: { privileged: true } }
      const sandbox = await scene.runtime.runSandbox({ ...scene.sandboxSpec, ...other })
      const all = await seenIn({ ...scene, sandbox }, STATUS, { privileged: true }, 'privileged')
      const [lessBounds, allBounds] = [less, all].map(({ container }) => boundsIn(container))
      check(((lessBounds ?? 0n) & CHOWN_BIT) === 0n, 'what was dropped is there')
      check((lessBounds ?? 0n) > 0n, 'nothing is left')
      check(((allBounds ?? 0n) & CHOWN_BIT) > 0n, 'who is privileged lacks it')
    },
  },
  {
    name: 'no process of a container gains rights where that is forbidden',
    when: needs('noNewPrivileges'),
    async run(scene) {
      const seen = await seenIn(scene, STATUS, { noNewPrivileges: true })
      for (const text of [seen.container, seen.command])
        checkEqual(textIn(text, 'NoNewPrivs'), '1', 'the mark of the kernel')
    },
  },
  {
    name: 'nothing but volumes can be written where the root file system is read-only',
    when: needs('readOnlyRoot'),
    async run(scene) {
      const { directory: source } = scene.sandboxSpec
      const mounts = [
        { volume: 'a', source, path: '/suite-volume', readOnly: false },
        { volume: 'b', source, path: '/usr/suite-volume', readOnly: false },
      ]
      const security = { readOnlyRoot: true }
      const seen = await seenIn(scene, writeTo(WRITABLE), security, 'with-volumes', { mounts })
      const expected = 'no no no no yes yes yes'
      checkEqual([words(seen.container), words(seen.command)], [expected, expected], 'with volumes')
      const plain = await seenIn(scene, writeTo(WRITABLE.slice(0, 4)), security, 'without')
      checkEqual(words(plain.container), 'no no no no', 'what can be written without volumes')
    },
  },
  {
    name: 'a terminal works where the root file system is read-only, and for another user',
    when: (supports) => supports.terminals && needs('readOnlyRoot', 'uid')(supports),
    async run(scene) {
      const security = { readOnlyRoot: true, uid: 4711 }
      const script = 'echo named > /dev/stdout; tty'
      const seen = await seenIn(scene, script, security, 'main', { tty: true })
      check(/named\s+.*\/dev\//s.test(seen.container), `its output is ${seen.container}`)
    },
  },
  {
    name: 'a daemon of another user that left its session and its parents ends with the container',
    when: needs('uid'),
    async run(scene) {
      const { runtime, sandbox, sandboxSpec, shell, until, eventually, readLog } = scene
      const beat = `${sandboxSpec.directory}/beat`
      const first = shell(`echo > ${beat}; chmod 666 ${beat}`, { name: 'first' })
      const made = await runtime.startContainer(sandbox.id, first)
      await until(made.id, (each) => each.state === 'exited', 'making the file')
      const forever = `while :; do echo x >> ${beat}; sleep 0.05; done`
      const script = `(setsid sh -c '(${forever}) &' &); exec sleep 1000`
      const spec = shell(script, { security: { uid: 4711, gid: 4711 } })
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await eventually(async () => (await readLog(beat)).includes('x'), 'the daemon')
      await runtime.stopContainer(id, 0)
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
      const before = await readLog(beat)
      await new Promise((resolve) => {
        setTimeout(resolve, 300)
      })
      checkEqual((await readLog(beat)).length, before.length, 'what the daemon has written')
    },
  },
]

/** Places that exist everywhere, and then volumes and the null device. */
const WRITABLE = [
  '/suite-file',
  '/usr/suite-file',
  '/tmp/suite-file',
  '/etc/suite-file',
  '/suite-volume/file',
  '/usr/suite-volume/file',
  '/dev/null',
] as const

function writeTo(paths: readonly string[]): string {
  const one = '(echo x > $each) 2>/dev/null && echo yes || echo no'
  return `for each in ${paths.join(' ')}; do ${one}; done`
}

function needs(...fields: readonly SecurityField[]): (supports: RuntimeFeatures) => boolean {
  return ({ security }) => fields.every((field) => security.has(field))
}

/** What a script says as the container itself, and as a command in it. */
interface Seen {
  readonly container: string
  readonly command: string
}

function pair(text: string): Seen {
  return { container: `${text}\n`, command: `${text}\n` }
}

async function seenIn(
  { runtime, sandbox, shell, eventually, readLog }: RuntimeScene,
  script: string,
  security: ContainerSecurity,
  name = 'main',
  over: Parameters<RuntimeScene['shell']>[1] = {},
): Promise<Seen> {
  const spec = shell(`${script}; echo over; exec sleep 1000`, { ...over, name, security })
  const { id } = await runtime.startContainer(sandbox.id, spec)
  const isOver = async (): Promise<boolean> => / over\r?$/m.test(await readLog(spec.logPath))
  await eventually(isOver, 'waiting for what it says')
  const lines = (await readLog(spec.logPath)).split('\n').map((line) => line.split(' ').slice(3))
  const text = lines.map((parts) => parts.join(' ')).join('\n')
  const command = ['sh', '-c', script]
  const bounds = { timeoutMs: COMMAND_MS, outputBytesMax: 16_384 }
  const { output } = await runtime.run(id, { command, ...bounds })
  return { container: text.replace(/over\s*$/, ''), command: output }
}

/** In any order: two streams have none between them. */
function words(text: string): string {
  const found = text.split(/\s+/).filter((word) => word !== '' && word !== 'over')
  return found.includes('two') ? found.sort().join(' ') : found.join(' ')
}

function textIn(status: string, field: string): string | undefined {
  return new RegExp(`^${field}:\\s*(\\S+)`, 'm').exec(status)?.[1]
}

function boundsIn(status: string): bigint | undefined {
  const text = textIn(status, 'CapBnd')
  return text === undefined ? undefined : BigInt(`0x${text}`)
}
