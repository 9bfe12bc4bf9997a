import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RunningProgram } from '../../examples/demo/program.ts'
import type { Relay } from '../../examples/demo/relay.ts'
import { kubectlFor } from '../support/api-server.ts'
import { findKubectls, KUBECTL_HINT } from '../support/kubectl.ts'
import { type CommandEnd, connectionsOf, LiveCommand, onTerminal } from '../support/live-command.ts'
import { skipUnless } from '../support/skip.ts'
import { steadyPort } from '../support/steady-port.ts'
import { TestFleet, until } from './fleet-programs.ts'

// What kubectl keeps open, through the cloud, to pods of a node behind a link that can be cut.

/** One that speaks SPDY, and one of today. */
const SPOKEN = ['v1.29.', 'v1.36.']
const kubectls = (await findKubectls()).filter(({ version }) =>
  SPOKEN.some((start) => version.startsWith(start)),
)
const run = promisify(execFile)
const CORE = '/api/v1/namespaces/default'
/** A client is told of a broken link at once; this is what a busy machine makes of it. */
const AT_ONCE_MS = 10_000

test('there is a kubectl to test with', (context) => {
  skipUnless(context, kubectls.length > 0, 'kubectl', KUBECTL_HINT)
  expect(kubectls.length).toBeGreaterThan(0)
})

const WEB = `
const http = require('node:http')
http.createServer((request, response) => {
  if (request.url.startsWith('/big')) return response.end(Buffer.alloc(3000000, 'b'))
  if (!request.url.startsWith('/slow')) return response.end('hello ' + request.url)
  response.write('begun')
  const timer = setInterval(() => response.write('.'), 100)
  response.on('close', () => clearInterval(timer))
}).listen(Number(process.argv[1]), '127.0.0.1')
`

let fleet: TestFleet
let cloud: RunningProgram
let edge: RunningProgram
let relay: Relay
let port = 0
let env: Record<string, string> = {}

beforeAll(async () => {
  fleet = await TestFleet.create()
  cloud = await fleet.startCloud()
  relay = await fleet.openRelay()
  const token = await fleet.token('edge-1')
  const through = ['--token', token, '--server', relay.address]
  edge = await fleet.startEdge('edge-1', through)
  await edge.line('connected to the cloud')
  port = await steadyPort()
  const home = join(fleet.directory, 'home')
  await mkdir(home)
  env = { HOME: home, KUBECONFIG: fleet.kubeconfig('cloud') }
  const sizes =
    'exec 3<&0; while :; do stty size <&3; sleep 0.2; done & while read l; do echo "got $l"; done'
  const node = [process.execPath, '-e', WEB, String(port)]
  await startPod('web', { command: node, ports: [{ name: 'http', containerPort: port }] })
  await startPod('talk', { command: sh('n=0; while :; do echo "tick $((n+=1))"; sleep 0.2; done') })
  await startPod('typed', {
    command: sh('while read l; do echo "got $l"; done; sleep 60'),
    stdin: true,
  })
  await startPod('screen', { command: sh(sizes), stdin: true, tty: true })
  await (await fleet.api('cloud')).expect('POST', `${CORE}/services`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'front' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] },
  })
  for (const name of ['web', 'talk', 'typed', 'screen']) await until(name, () => isReady(name))
})

afterAll(async () => {
  await relay?.close()
  await fleet?.close()
})

function sh(script: string): readonly string[] {
  return ['sh', '-c', script]
}

async function startPod(name: string, container: object): Promise<void> {
  await (await fleet.api('cloud')).expect('POST', `${CORE}/pods`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: {
      nodeName: 'edge-1',
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: 'local', ...container }],
    },
  })
}

async function isReady(name: string): Promise<boolean> {
  const pod = await (await fleet.api('cloud')).expect('GET', `${CORE}/pods/${name}`)
  const { conditions = [] } = (pod['status'] ?? {}) as {
    conditions?: { type: string; status: string }[]
  }
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
}

/** Sizes of both programs, as they are when nothing is open. */
function held(): Promise<readonly number[]> {
  return Promise.all([connectionsOf(cloud.pid), connectionsOf(edge.pid)])
}

/** How many processes of this machine have a word in their command line. */
async function processesWith(word: string): Promise<number> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(
    numbers.map((name) => readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')),
  )
  return lines.filter((line) => line.includes(word) && !line.includes('kubectl')).length
}

/** A port-forward to the web server, and the address that it is at. */
async function forward(path: string): Promise<{ command: LiveCommand; local: number }> {
  const command = new LiveCommand(path, ['port-forward', 'pod/web', `:${port}`], env)
  const text = await command.says(/127\.0\.0\.1:(\d+) ->/)
  return { command, local: Number(/127\.0\.0\.1:(\d+) ->/.exec(text)?.[1]) }
}

/** Gives what comes, if it does in time. */
async function within<T>(coming: Promise<T>, what: string): Promise<T> {
  const late = AbortSignal.timeout(AT_ONCE_MS)
  return await new Promise((resolve, reject) => {
    late.addEventListener('abort', () => reject(new Error(`not in time: ${what}`)), { once: true })
    coming.then(resolve, reject)
  })
}

describe.each(kubectls)('kubectl $version', ({ path, version }) => {
  const name = `once-${version.replaceAll('.', '-')}`

  test('forwards ports and asks services', async () => {
    const { command, local } = await forward(path)
    const pages = await Promise.all(
      [1, 2, 3, 4].map(async (n) => await (await fetch(`http://127.0.0.1:${local}/${n}`)).text()),
    )
    expect(pages).toEqual(['hello /1', 'hello /2', 'hello /3', 'hello /4'])
    const big = await fetch(`http://127.0.0.1:${local}/big`)
    expect((await big.arrayBuffer()).byteLength).toBe(3_000_000)
    command.kill()
    const kubectl = kubectlFor(
      { folder: fleet.directory, kubeconfig: env['KUBECONFIG'] ?? '' },
      path,
    )
    const page = await kubectl(['get', '--raw', `${CORE}/services/front/proxy/page`])
    expect(page, JSON.stringify(page)).toMatchObject({ code: 0, stdout: 'hello /page' })
  })

  test('follows logs, attaches, and types', async () => {
    const logs = new LiveCommand(path, ['logs', '-f', '--tail=2', 'talk'], env)
    await logs.says(/tick \d+\n(?:tick \d+\n){3}/)
    const attached = new LiveCommand(path, ['attach', 'talk'], env)
    await attached.says(/tick \d+\ntick \d+\n/)
    const typing = new LiveCommand(path, ['attach', '-i', 'typed'], env)
    typing.type(`${version}\n`)
    await typing.says(new RegExp(`got ${version}`))
    for (const command of [logs, attached, typing]) command.kill()
  })

  test('is a terminal that changes its size', async () => {
    const command = onTerminal(`tty; stty rows 33 cols 99; exec ${path} attach -it screen`, env)
    const [device = ''] = /\/dev\/pts\/\d+/.exec(await command.says(/pts\/\d+/)) ?? []
    await command.says(/33 99\r?\n/)
    await run('stty', ['-F', device, 'rows', '40', 'cols', '120'])
    await command.says(/40 120\r?\n/)
    command.type('hello\r')
    await command.says(/got hello/)
    command.kill()
  })

  test('runs a pod for as long as somebody looks', async () => {
    const overrides = JSON.stringify({ spec: { nodeName: 'edge-1' } })
    const words = ['run', name, '--image=local', '-it', '--rm', '--restart=Never', '--quiet']
    const line = [path, ...words, `--overrides='${overrides}'`, '--override-type=strategic']
    // kubectl tells a size that is larger by one first, so that what draws on the screen draws anew.
    const script = `--command -- sh -c 'read l; echo "got $l"; until stty size | grep "^21 77"; do sleep 0.1; done; exit 3'`
    const text = `stty rows 21 cols 77; exec ${line.join(' ')} ${script}`
    const command = onTerminal(text, env)
    command.type('hello\r')
    const end = await command.ended
    expect(end.text).toMatch(/got hello\r?\n21 77/)
    expect(end.code).not.toBe(0)
    const api = await fleet.api('cloud')
    await until('it is gone', async () => {
      return (await api.send('GET', `${CORE}/pods/${name}`)).status === 404
    })
  })
})

/** The only word of its kind on this machine. */
const MARK = `9${process.pid}.25`
const SLEEPER = `echo begun; sleep ${MARK}`
const exec = (flag: string): readonly string[] => ['exec', flag, 'talk', '--', ...sh(SLEEPER)]

/** What is open while the link breaks, and when it is. */
const OPENED: Readonly<Record<string, (path: string) => readonly [LiveCommand, RegExp]>> = {
  exec: (path) => [new LiveCommand(path, exec('-q'), env), /begun/],
  'exec -i': (path) => [new LiveCommand(path, exec('-i'), env), /begun/],
  'exec -it': (path) => [onTerminal(`${path} exec -it talk -- sh -c '${SLEEPER}'`, env), /begun/],
  attach: (path) => [new LiveCommand(path, ['attach', 'talk'], env), /tick/],
  'attach -it': (path) => [onTerminal(`${path} attach -it screen`, env), /\d+ \d+\r?\n/],
  'logs -f': (path) => [new LiveCommand(path, ['logs', '-f', 'talk'], env), /tick/],
  proxy: (path) => [new LiveCommand(path, ['get', '--raw', SLOW], env), /begun/],
}
const SLOW = `${CORE}/services/front/proxy/slow`

/** How each client says that the link broke; those of sessions in the same words. */
const SESSION_LOST = /error: Internal error occurred: the connection to the node was lost\r?\n$/
const LOST: Readonly<Record<string, RegExp>> = {
  'logs -f': /error: unexpected EOF\n$/,
  proxy: /error: unexpected EOF\n$/,
  'port-forward': /the connection to the node was lost[\s\S]*error: lost connection to pod\n$/,
}

interface Opened {
  readonly commands: ReadonlyMap<string, LiveCommand>
  /** Connections to ports of pods, by the same clients. */
  readonly sockets: readonly Socket[]
}

/** Opens everything that there is, with every client. */
async function openAll(): Promise<Opened> {
  const commands = new Map<string, LiveCommand>()
  const sockets: Socket[] = []
  const opening = kubectls.flatMap(({ path, version }) => [
    ...Object.entries(OPENED).map(async ([what, open]) => {
      const [command, sign] = open(path)
      commands.set(`${what} ${version}`, command)
      await command.says(sign)
    }),
    forward(path).then(async ({ command, local }) => {
      commands.set(`port-forward ${version}`, command)
      const socket = connect(local, '127.0.0.1')
      sockets.push(socket)
      socket.write('GET /slow HTTP/1.1\r\nHost: pod\r\n\r\n')
      await once(socket, 'data')
    }),
  ])
  await Promise.all(opening)
  return { commands, sockets }
}

test('clients that are killed leave nothing behind', async () => {
  const before = await held()
  const { commands, sockets } = await openAll()
  expect(await processesWith(MARK)).toBeGreaterThanOrEqual(kubectls.length * 3)
  for (const command of commands.values()) command.kill()
  for (const socket of sockets) socket.destroy()
  await nothingLeft(before)
})

test('a link that breaks ends all at once, and leaves nothing behind', async () => {
  const before = await held()
  const { commands, sockets } = await openAll()
  const closed = Promise.all(sockets.map((socket) => once(socket, 'close')))
  const connected = edge.lines().length
  relay.cut()
  await closed
  const ends = new Map<string, CommandEnd>()
  for (const [what, command] of commands) ends.set(what, await within(command.ended, what))
  relay.restore()
  for (const [what, { code, text }] of ends) {
    expect(code, what).toBe(1)
    expect(text, what).toMatch(LOST[what.split(' v')[0] ?? ''] ?? SESSION_LOST)
  }
  await until('connected again', () =>
    edge
      .lines()
      .slice(connected)
      .some(({ msg }) => msg === 'connected to the cloud'),
  )
  await nothingLeft(before)
})

/** Waits until both programs hold what they held, and the pods run nothing but their own. */
async function nothingLeft(before: readonly number[]): Promise<void> {
  await until('the processes have ended', async () => (await processesWith(MARK)) === 0)
  await until('the connections are closed', async () => {
    return (await held()).every((count, index) => count <= (before[index] ?? 0))
  })
}
