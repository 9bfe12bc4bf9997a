import { concatBytes, equalBytes, utf8 } from '../core/bytes.ts'
import type { ProcessSession, SessionEnd } from '../core/interfaces/process-session.ts'
import { check, checkEqual, isSettled, patternBytes } from './check.ts'
import { startError } from './runtime-containers.ts'
import type { RuntimeCheck, RuntimeScene } from './runtime-fixture.ts'

const ALL = { stdin: true, stdout: true, stderr: true, tty: false } as const
const NO_INPUT = { ...ALL, stdin: false } as const
const TERMINAL = { stdin: true, stdout: true, stderr: false, tty: true } as const
const BIG_BYTES = 32 * 1024 * 1024

/** What is promised of commands that join a container, and of those who attach to it. */
export const sessionChecks: readonly RuntimeCheck[] = [
  {
    name: 'a command runs beside a container with its variables, in its directory; its exit code is told',
    async run(scene) {
      const env = { COLOR: 'blue green' }
      const { id } = await start(scene, 'sleep 1000', { env, workingDir: '/tmp' })
      const script = 'echo "$COLOR $(pwd) $1"; echo bad >&2; exit 7'
      const command = ['sh', '-c', script, 'sh', 'an "argument']
      const got = await collect(await scene.runtime.exec(id, { ...NO_INPUT, command }))
      check(
        /^blue green (\/private)?\/tmp an "argument\n$/.test(got.stdout),
        `stdout ${got.stdout}`,
      )
      checkEqual(got.stderr, 'bad\n', 'stderr')
      checkEqual(got.end, { type: 'exited', exitCode: 7 }, 'how it ended')
    },
  },
  {
    name: 'input reaches a command to the last byte, and so does its end',
    async run(scene) {
      const { id } = await start(scene, 'sleep 1000')
      const session = await scene.runtime.exec(id, { ...ALL, command: ['cat'] })
      const sent = patternBytes(1, BIG_BYTES)
      const got = collectBytes(session)
      for (let at = 0; at < sent.length; at += 60_000)
        await session.writeInput(sent.subarray(at, at + 60_000))
      session.endInput()
      const { stdout, end } = await got
      checkEqual(end, { type: 'exited', exitCode: 0 }, 'how it ended')
      check(equalBytes(stdout, sent), `${stdout.length} other bytes came back`)
    },
  },
  {
    name: 'a command without input reads the end of its stdin at once',
    async run(scene) {
      const { id } = await start(scene, 'sleep 1000')
      const got = await collect(
        await scene.runtime.exec(id, { ...NO_INPUT, command: ['sh', '-c', 'cat; echo over'] }),
      )
      checkEqual(got.stdout, 'over\n', 'stdout')
    },
  },
  {
    name: 'a command that is run to its end gives its exit code and what fits of its output',
    async run(scene) {
      const { runtime } = scene
      const { id } = await start(scene, 'sleep 1000')
      const command = ['sh', '-c', 'echo out; echo err >&2; exit 3']
      const result = await runtime.run(id, { command, timeoutMs: 60_000, outputBytesMax: 100 })
      checkEqual(result.type === 'exited' && result.exitCode, 3, 'the exit code')
      checkEqual(result.output.split('\n').sort(), ['', 'err', 'out'], 'the output')
      const long = ['sh', '-c', 'i=0; while [ $i -lt 200 ]; do echo 123456789; i=$((i+1)); done']
      const cut = await runtime.run(id, { command: long, timeoutMs: 60_000, outputBytesMax: 100 })
      checkEqual(cut.output.length, 100, 'characters of a long output')
    },
  },
  {
    name: 'a command that takes too long is killed, and the container is not',
    async run(scene) {
      const { runtime, until } = scene
      const { id } = await start(scene, 'sleep 1000')
      const script = 'echo begun; while :; do sleep 0.05; done'
      const command = ['sh', '-c', script]
      const result = await runtime.run(id, { command, timeoutMs: 500, outputBytesMax: 100 })
      checkEqual(result.type, 'timedOut', 'the result')
      check(['', 'begun\n'].includes(result.output), `the output is ${result.output}`)
      await until(id, (each) => each.state === 'running', 'the container running on')
    },
  },
  {
    name: 'stdout of a command can be opened by name',
    async run(scene) {
      const { id } = await start(scene, 'sleep 1000')
      const script = 'echo one > /dev/stdout; cat /dev/stdin'
      const session = await scene.runtime.exec(id, { ...ALL, command: ['sh', '-c', script] })
      const got = collect(session)
      await session.writeInput(utf8('two\n'))
      session.endInput()
      checkEqual((await got).stdout, 'one\ntwo\n', 'stdout')
    },
  },
  {
    name: 'a reader that does not read stops a command, and loses nothing',
    async run(scene) {
      const { id } = await start(scene, 'sleep 1000')
      const { directory } = scene.sandboxSpec
      const script = `head -c ${BIG_BYTES} /dev/zero; echo done > ${directory}/wrote`
      const session = await scene.runtime.exec(id, {
        ...NO_INPUT,
        command: ['sh', '-c', script],
      })
      check(!(await isSettled(session.ended, 500)), 'the session ended without its reader')
      checkEqual(await scene.readLog(`${directory}/wrote`), '', 'what was written meanwhile')
      const { stdout } = await collectBytes(session)
      checkEqual(stdout.length, BIG_BYTES, 'bytes read')
    },
  },
  {
    name: 'a session that is aborted takes its whole tree of processes with it, and not the container',
    async run(scene) {
      const { runtime, sandboxSpec, eventually, readLog } = scene
      const { id } = await start(scene, 'sleep 1000')
      const beat = `${sandboxSpec.directory}/beat`
      const script = `(trap "" HUP TERM; while :; do echo x >> ${beat}; sleep 0.05; done) & cat`
      const session = await runtime.exec(id, { ...ALL, command: ['sh', '-c', script] })
      await eventually(async () => (await readLog(beat)) !== '', 'the child starting')
      session.abort()
      await session.ended
      await settled(scene, beat)
      const [found] = (await runtime.list()).containers
      checkEqual(found?.state, 'running', 'the container')
    },
  },
  {
    name: 'a command ends with its container',
    async run(scene) {
      const { id } = await start(scene, 'sleep 1000')
      const begun = `${scene.sandboxSpec.directory}/begun`
      const command = ['sh', '-c', `echo so > ${begun}; exec sleep 1000`]
      const got = collect(await scene.runtime.exec(id, { ...ALL, command }))
      await scene.eventually(
        async () => (await scene.readLog(begun)) !== '',
        'the command starting',
      )
      await scene.runtime.stopContainer(id, 0)
      const { end } = await got
      checkEqual(end, { type: 'exited', exitCode: 137 }, 'how it ended')
    },
  },
  {
    name: 'what a command leaves running does not hold up its end',
    async run(scene) {
      const { id } = await start(scene, 'sleep 1000')
      const command = ['sh', '-c', 'sleep 1000 & echo up']
      const got = await collect(await scene.runtime.exec(id, { ...NO_INPUT, command }))
      checkEqual([got.stdout, got.end], ['up\n', { type: 'exited', exitCode: 0 }], 'what came')
    },
  },
  {
    name: 'commands see the volumes of their container',
    when: (supports) => supports.mounts,
    async run(scene) {
      const source = scene.sandboxSpec.directory
      const mounts = [{ volume: 'a', source, path: '/suite-volume', readOnly: false }]
      const { id } = await start(scene, 'echo kept > /suite-volume/file; sleep 1000', { mounts })
      await scene.eventually(
        async () => (await scene.readLog(`${source}/file`)) !== '',
        'the container writing',
      )
      const command = ['cat', '/suite-volume/file']
      const got = await collect(await scene.runtime.exec(id, { ...NO_INPUT, command }))
      checkEqual(got.stdout, 'kept\n', 'stdout')
    },
  },
  {
    name: 'a terminal joins the outputs, has the size that is asked for and reads the end of input',
    when: (supports) => supports.terminals,
    async run(scene) {
      const { id } = await start(scene, 'sleep 1000')
      const script = 'read go; stty size; echo bad >&2; read more || echo over; exit 3'
      const session = await scene.runtime.exec(id, { ...TERMINAL, command: ['sh', '-c', script] })
      const got = collect(session)
      session.resize({ columns: 101, rows: 37 })
      // The size is set by another process: the line is typed after it.
      await new Promise((resolve) => {
        setTimeout(resolve, 500)
      })
      await session.writeInput(utf8('go\n'))
      session.endInput()
      const { stdout, stderr, end } = await got
      checkEqual([stderr, end], ['', { type: 'exited', exitCode: 3 }], 'how it ended')
      check(stdout.includes('37 101\r\nbad\r\n'), `the terminal showed ${JSON.stringify(stdout)}`)
      check(stdout.includes('over'), 'the end of the input was not read')
    },
  },
  {
    name: 'a command in a container that does not run is NotFound, one that does not exist StartFailed',
    async run(scene) {
      const { id } = await start(scene, 'sleep 1000')
      const missing = { ...NO_INPUT, command: ['no-such-program-here'] }
      const failed = await startError(scene.runtime.exec(id, missing))
      checkEqual(failed.reason, 'StartFailed', 'the reason')
      check(failed.message.includes('no-such-program-here'), `the message is ${failed.message}`)
      await scene.runtime.stopContainer(id, 0)
      const command = ['true']
      const gone = await startError(scene.runtime.exec(id, { ...NO_INPUT, command }))
      checkEqual(gone.reason, 'NotFound', 'the reason')
    },
  },
  {
    name: 'who attaches gets what the container writes from then on, until it ends',
    async run(scene) {
      const { directory } = scene.sandboxSpec
      const script = `echo before; until [ -e ${directory}/go ]; do sleep 0.05; done; printf after; echo bad >&2`
      const { id, logPath } = await start(scene, script)
      const hasBegun = async (): Promise<boolean> =>
        (await scene.readLog(logPath)).includes('before')
      await scene.eventually(hasBegun, 'coming up')
      const got = collect(await scene.runtime.attach(id, NO_INPUT))
      await collect(
        await scene.runtime.exec(id, { ...NO_INPUT, command: ['touch', `${directory}/go`] }),
      )
      const { stdout, stderr, end } = await got
      checkEqual([stdout, stderr], ['after', 'bad\n'], 'the output')
      checkEqual(end, { type: 'exited', exitCode: 0 }, 'how it ended')
    },
  },
  {
    name: 'a container with a stdin reads what is attached writes, and its end when it is for one',
    async run(scene) {
      // Engines pass input on a moment before they listen to the output.
      const script = 'read line; sleep 0.5; echo "got $line"; cat; echo over'
      const { id } = await start(scene, script, { stdin: 'once' })
      const session = await scene.runtime.attach(id, ALL)
      const got = collect(session)
      await session.writeInput(utf8('hello\nmore\n'))
      session.endInput()
      checkEqual((await got).stdout, 'got hello\nmore\nover\n', 'the output')
    },
  },
  {
    name: 'a stdin that is open to all goes on after one of them has left',
    async run(scene) {
      const { until } = scene
      const script = 'read a; echo "got $a"; read b; sleep 0.5; echo "$a $b"'
      const { id, logPath } = await start(scene, script, { stdin: 'open' })
      const first = await scene.runtime.attach(id, ALL)
      await first.writeInput(utf8('one\n'))
      first.endInput()
      // Leaving in a hurry takes back what has not arrived yet.
      const hasRead = async (): Promise<boolean> =>
        (await scene.readLog(logPath)).includes('got one')
      await scene.eventually(hasRead, 'reading what the first wrote')
      first.abort()
      await first.ended
      const second = await scene.runtime.attach(id, ALL)
      const got = collect(second)
      await second.writeInput(utf8('two\n'))
      checkEqual((await got).stdout, 'one two\n', 'the output')
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
    },
  },
  {
    name: 'a container on a terminal is typed into',
    when: (supports) => supports.terminals,
    async run(scene) {
      const script = 'read line; sleep 0.5; echo "got $line"; [ -t 0 ] && echo terminal'
      const { id } = await start(scene, script, { stdin: 'once', tty: true })
      const session = await scene.runtime.attach(id, TERMINAL)
      const got = collect(session)
      await session.writeInput(utf8('hello\r'))
      const { stdout } = await got
      check(stdout.includes('got hello\r\nterminal\r\n'), `it showed ${JSON.stringify(stdout)}`)
    },
  },
  {
    name: 'a port on which nobody listens is Unavailable, one of no sandbox NotFound',
    async run({ runtime, sandbox }) {
      const closed = await startError(runtime.portForward(sandbox.id, 1))
      checkEqual(closed.reason, 'Unavailable', 'the reason')
      const gone = await startError(runtime.portForward('no-such-sandbox', 1))
      checkEqual(gone.reason, 'NotFound', 'the reason')
    },
  },
  {
    name: 'closing ends sessions, and their processes, but no container',
    async run(scene) {
      const { runtime, sandboxSpec, eventually, readLog, reopen } = scene
      const { id } = await start(scene, 'sleep 1000')
      const beat = `${sandboxSpec.directory}/beat`
      const script = `while :; do echo x >> ${beat}; sleep 0.05; done`
      const session = await runtime.exec(id, { ...ALL, command: ['sh', '-c', script] })
      await eventually(async () => (await readLog(beat)) !== '', 'the command starting')
      const next = await reopen()
      await session.ended
      await settled(scene, beat)
      const [found] = (await next.list()).containers
      checkEqual(found?.state, 'running', 'the container')
    },
  },
]

async function start(
  { runtime, sandbox, shell }: RuntimeScene,
  script: string,
  over: Parameters<RuntimeScene['shell']>[1] = {},
): Promise<{ readonly id: string; readonly logPath: string }> {
  const spec = shell(script, over)
  const { id } = await runtime.startContainer(sandbox.id, spec)
  return { id, logPath: spec.logPath }
}

/** Waits until a file that something keeps writing no longer grows. */
async function settled({ eventually, readLog }: RuntimeScene, path: string): Promise<void> {
  const pauseMs = 300
  await eventually(async () => {
    const before = (await readLog(path)).length
    await new Promise((resolve) => {
      setTimeout(resolve, pauseMs)
    })
    return (await readLog(path)).length === before
  }, 'the processes ending')
}

interface Collected<Content> {
  readonly stdout: Content
  readonly stderr: Content
  readonly end: SessionEnd
}

async function collectBytes(session: ProcessSession): Promise<Collected<Uint8Array>> {
  const pieces: Record<'stdout' | 'stderr', Uint8Array[]> = { stdout: [], stderr: [] }
  for await (const { stream, bytes } of session.output) pieces[stream].push(bytes)
  const end = await session.ended
  return { stdout: concatBytes(pieces.stdout), stderr: concatBytes(pieces.stderr), end }
}

async function collect(session: ProcessSession): Promise<Collected<string>> {
  const { stdout, stderr, end } = await collectBytes(session)
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
  return { stdout: text(stdout), stderr: text(stderr), end }
}
