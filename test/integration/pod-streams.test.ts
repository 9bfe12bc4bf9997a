import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import {
  type CommandResult,
  kubectlFor,
  type RunKubectl,
  startTestApiServer,
} from '../support/api-server.ts'
import { findKubectls, KUBECTL_HINT } from '../support/kubectl.ts'
import { type NodeServer, startNodeServer } from '../support/node-server.ts'
import { skipUnless } from '../support/skip.ts'
import { steadyPort } from '../support/steady-port.ts'

/** Those that differ in what they speak: SPDY; WebSocket for exec; for port-forward too; today's. */
const SPOKEN = ['v1.29.', 'v1.30.', 'v1.32.', 'v1.36.']
const kubectls = (await findKubectls()).filter(({ version }) =>
  SPOKEN.some((start) => version.startsWith(start)),
)
const BIG_BYTES = 10 * 1024 * 1024

const WEB = `
const http = require('node:http')
const server = http.createServer((request, response) => {
  if (request.url.startsWith('/moved')) return response.writeHead(302, { location: '/there?x=1' }).end()
  if (request.url.startsWith('/big')) return response.end(Buffer.alloc(3000000, 'b'))
  let body = ''
  request.on('data', (chunk) => { body += chunk })
  request.on('end', () => {
    const { authorization = 'none' } = request.headers
    response.setHeader('x-answer', 'yes')
    response.end([request.method, request.url, body, authorization].join(' ') + '\\n')
  })
})
server.on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n')
  socket.pipe(socket)
})
server.listen(Number(process.argv[1]), '127.0.0.1')
`

test('there is a kubectl to test with', (context) => {
  skipUnless(context, kubectls.length > 0, 'kubectl', KUBECTL_HINT)
  expect(kubectls.length).toBeGreaterThan(0)
})

let target: NodeServer
let webPort = 0

beforeAll(async () => {
  target = await startNodeServer(await mkdtemp(join(tmpdir(), 'pod-streams-')))
  webPort = await steadyPort()
  await target.run('shell', ['sh', '-c', 'while :; do sleep 1; done'])
  await target.run('web', [process.execPath, '-e', WEB, String(webPort)], {
    ports: [{ name: 'http', containerPort: webPort }],
  })
})

afterAll(async () => {
  await target?.close()
})

function ok(result: CommandResult): string {
  expect(result, JSON.stringify(result)).toMatchObject({ code: 0 })
  return result.stdout
}

describe.each(kubectls)('kubectl $version', ({ path, version }) => {
  const kubectl: RunKubectl = (args, options) => kubectlFor(target, path)(args, options)

  test('runs commands: output, exit code, input and its end', async () => {
    const script = 'echo out; echo err >&2; exit 7'
    const result = await kubectl(['exec', 'shell', '--', 'sh', '-c', script])
    expect(result).toMatchObject({ code: 7, stdout: 'out\n' })
    expect(result.stderr).toBe('err\ncommand terminated with exit code 7\n')
    const echoed = await kubectl(['exec', '-i', 'shell', '--', 'cat', '/dev/stdin'], {
      input: 'one\ntwo\n',
    })
    expect(ok(echoed)).toBe('one\ntwo\n')
    const many = await kubectl(['exec', 'shell', '--', 'seq', '200000'])
    expect(ok(many).split('\n').length).toBe(200_001)
  })

  test('says what is wrong', async () => {
    const missing = await kubectl(['exec', 'shell', '--', 'no-such-program'])
    expect(missing.code).not.toBe(0)
    expect(missing.stderr).toContain('executable file not found in $PATH')
    const container = await kubectl(['exec', 'shell', '-c', 'other', '--', 'true'])
    expect(container.stderr).toContain('container other')
    const pod = await kubectl(['exec', 'nobody', '--', 'true'])
    expect(pod.stderr).toContain('pods "nobody" not found')
  })

  test('copies 10 MB there and back', async () => {
    const bytes = randomBytes(BIG_BYTES)
    const file = join(target.folder, `there-${version}`)
    await writeFile(file, bytes)
    const far = join(target.folder, `far-${version}`)
    ok(await kubectl(['cp', file, `shell:${far}`]))
    expect(hash(await readFile(far))).toBe(hash(bytes))
    const back = join(target.folder, `back-${version}`)
    ok(await kubectl(['cp', `shell:${far}`, back]))
    expect(hash(await readFile(back))).toBe(hash(bytes))
  })

  test('forwards a port', async () => {
    const args = ['port-forward', 'pod/web', `:${webPort}`]
    const forward = spawn(path, args, {
      env: { PATH: process.env['PATH'], HOME: target.folder, KUBECONFIG: target.kubeconfig },
    })
    try {
      const text = await lineOf(forward, /127\.0\.0\.1:(\d+) ->/)
      const url = `http://127.0.0.1:${/127\.0\.0\.1:(\d+) ->/.exec(text)?.[1]}`
      const answers = await Promise.all(
        Array.from({ length: 8 }, async (_, index) => {
          const response = await fetch(`${url}/n/${index}`, { method: 'POST', body: `b${index}` })
          return await response.text()
        }),
      )
      expect(answers).toEqual(answers.map((_, index) => `POST /n/${index} b${index} none\n`))
      const big = await fetch(`${url}/big`)
      expect((await big.arrayBuffer()).byteLength).toBe(3_000_000)
    } finally {
      forward.kill('SIGKILL')
    }
  })
})

describe.each(kubectls.slice(-1))('a client of today, $version', ({ path }) => {
  const kubectl: RunKubectl = (args, options) => kubectlFor(target, path)(args, options)

  test('attaches: to what runs, with a stdin, on a terminal', async () => {
    const run = ['run', 'typed', '--image=local/shell', '-i', '--restart=Never']
    const overrides = { spec: { nodeName: 'edge-1' } }
    const reply = await kubectl(
      [
        ...[...run, '--rm', '--quiet', `--overrides=${JSON.stringify(overrides)}`],
        ...[
          '--override-type=strategic',
          '--command',
          '--',
          'sh',
          '-c',
          'read line; echo "got $line"',
        ],
      ],
      { input: 'hello\n' },
    )
    expect(ok(reply)).toContain('got hello\n')
    await target.run('talk', ['sh', '-c', 'while :; do echo tick; sleep 0.2; done'])
    const seen = await kubectl(['attach', 'talk'], { until: 'tick\ntick\n' })
    expect(seen.stdout).toContain('tick\ntick\n')
    // script(1) is the terminal that kubectl is typed into.
    const line = `stty rows 33 cols 99; ${path} exec -it shell -- sh -c 'sleep 1; stty size; tty'`
    const shown = await terminal(line)
    expect(shown).toMatch(/33 99\r\r?\n\/dev\/pts\/\d+\r\r?\n/)
  })

  test('a client that is killed takes its command with it', async () => {
    const beat = join(target.folder, 'beat')
    const script = `while :; do echo x >> ${beat}; sleep 0.05; done`
    const child = spawn(path, ['exec', '-i', 'shell', '--', 'sh', '-c', script], {
      env: { PATH: process.env['PATH'], HOME: target.folder, KUBECONFIG: target.kubeconfig },
    })
    await grows(beat, true)
    child.kill('SIGKILL')
    await grows(beat, false)
  })

  test('passes requests on to pods and services', async () => {
    await target.store.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'front', namespace: 'default' },
      spec: { selector: { app: 'web' }, ports: [{ name: 'web', port: 80, targetPort: 'http' }] },
    })
    const root = '/api/v1/namespaces/default'
    const get = async (tail: string): Promise<string> =>
      ok(await kubectl(['get', '--raw', `${root}${tail}`]))
    expect(await get('/pods/web/proxy/a%20b?c=d')).toBe('GET /a%20b?c=d  none\n')
    expect(await get(`/pods/http:web:${webPort}/proxy/`)).toBe('GET /  none\n')
    expect(await get('/services/front:web/proxy/x')).toBe('GET /x  none\n')
    expect(await get('/services/http:front:80/proxy/x')).toBe('GET /x  none\n')
    // A port that has a name is not found without it, as in Kubernetes.
    const nameless = await kubectl(['get', '--raw', `${root}/services/front/proxy/x`])
    expect(nameless.stderr).toContain('no endpoints available for service "front"')
    const refused = await kubectl(['get', '--raw', `${root}/services/front:81/proxy/x`])
    expect(refused.stderr).toContain('no service port 81 found for service "front"')
    const closed = await kubectl(['get', '--raw', `${root}/pods/web:1/proxy/x`])
    expect(closed.stderr).toContain('error trying to reach service')
  })
})

const PROXY = '/api/v1/namespaces/default/pods/web/proxy'

test('a proxy passes on any method, redirects and upgrades, and keeps credentials', async () => {
  const posted = await ask('POST', `${PROXY}/p`, { body: 'text' })
  expect(posted).toMatchObject({ status: 200, text: 'POST /p text none\n' })
  expect(posted.headers['x-answer']).toBe('yes')
  expect(await ask('OPTIONS', `${PROXY}/o`, {})).toMatchObject({ text: 'OPTIONS /o  none\n' })
  const moved = await ask('GET', `${PROXY}/moved`, {})
  expect(moved.headers.location).toBe(`${PROXY}/there?x=1`)
  const bare = await ask('GET', `${PROXY}?a=b`, {})
  expect(bare).toMatchObject({ status: 301 })
  expect(bare.headers.location).toBe(`${PROXY}/?a=b`)
  const socket = await new Promise<Duplex>((resolve, reject) => {
    const headers = { connection: 'Upgrade', upgrade: 'echo' }
    const request = start('GET', `${PROXY}/echo`, headers)
    request.once('upgrade', (_answer, upgraded) => resolve(upgraded))
    request.once('error', reject)
    request.end()
  })
  socket.write('round trip')
  expect(String(await once(socket, 'data'))).toBe('round trip')
  socket.destroy()
})

test('refuses before the upgrade, with a Status', async () => {
  const pods = '/api/v1/namespaces/default/pods'
  const plain = await ask('GET', `${pods}/shell/exec?command=true&stdout=true`, {})
  expect(JSON.parse(plain.text)).toMatchObject({ code: 400, message: 'Upgrade request required' })
  const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1' }
  const version = { 'x-stream-protocol-version': 'v4.channel.k8s.io' }
  const spdy = async (tail: string, more: object = version): Promise<object> => {
    const { text } = await ask('POST', `${pods}/${tail}`, { headers: { ...headers, ...more } })
    return JSON.parse(text) as object
  }
  expect(await spdy('nobody/exec?command=true&stdout=true')).toMatchObject({ code: 404 })
  expect(await spdy('shell/exec?command=true&stdout=true&container=x')).toMatchObject({
    code: 400,
    message: 'container x is not valid for pod shell',
  })
  expect(await spdy('shell/exec?command=true')).toMatchObject({
    code: 400,
    message: 'you must specify at least 1 of stdin, stdout, stderr',
  })
  const unknown = { 'x-stream-protocol-version': 'v9.channel.k8s.io' }
  expect(await spdy('shell/exec?command=true&stdout=true', unknown)).toMatchObject({ code: 403 })
  expect(await spdy('shell/exec?command=no-such&stdout=true')).toMatchObject({
    code: 500,
    reason: 'InternalError',
  })
})

test('a reader that does not read costs no memory, and gets everything in the end', async () => {
  const url = `${target.server.url.replace('https', 'wss')}/api/v1/namespaces/default/pods/shell/exec`
  const query = 'command=head&command=-c&command=100000000&command=/dev/zero&stdout=true'
  const socket = new WebSocket(`${url}?${query}`, 'v4.channel.k8s.io', {
    ca: target.caPem,
    headers: { authorization: `Bearer ${target.token}` },
  })
  await once(socket, 'open')
  socket.pause()
  const before = process.memoryUsage().rss
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  expect(process.memoryUsage().rss - before).toBeLessThan(60_000_000)
  let bytes = 0
  let status = ''
  socket.on('message', (data: Buffer) => {
    if (data[0] === 1) bytes += data.length - 1
    if (data[0] === 3) status = data.subarray(1).toString()
  })
  socket.resume()
  await once(socket, 'close')
  expect(bytes).toBe(100_000_000)
  expect(JSON.parse(status)).toEqual({ metadata: {}, status: 'Success' })
})

const PODS = '/api/v1/namespaces/default/pods'

function dial(tail: string, protocol: string): WebSocket {
  return new WebSocket(`${target.server.url.replace('https', 'wss')}${PODS}/${tail}`, protocol, {
    ca: target.caPem,
    headers: { authorization: `Bearer ${target.token}` },
  })
}

/** What came on each channel until the socket closed. */
async function channelsOf(socket: WebSocket, isBase64 = false): Promise<readonly string[]> {
  const texts: string[] = []
  socket.on('message', (data: Buffer) => {
    const channel = isBase64 ? Number(data.subarray(0, 1)) : (data[0] ?? 0)
    const rest = data.subarray(1)
    const bytes = isBase64 ? Buffer.from(rest.toString(), 'base64') : rest
    texts[channel] = (texts[channel] ?? '') + bytes.toString()
  })
  await once(socket, 'close')
  return texts
}

test('speaks the older protocols of sessions', async () => {
  const command = ['sh', '-c', 'read x; echo "$x"; exit 3'].map(
    (word) => `command=${encodeURIComponent(word)}`,
  )
  const tail = `shell/exec?${command.join('&')}&stdin=true&stdout=true&stderr=true`
  const coded = dial(tail, 'v4.base64.channel.k8s.io')
  const fromCoded = channelsOf(coded, true)
  await once(coded, 'open')
  coded.send(`0${Buffer.from('typed\n').toString('base64')}`)
  const [, out, , status = ''] = await fromCoded
  expect(out).toBe('typed\n')
  expect(JSON.parse(status)).toMatchObject({
    status: 'Failure',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '3' }] },
  })
  const old = dial(tail, 'channel.k8s.io')
  const fromOld = channelsOf(old)
  await once(old, 'open')
  old.send(Buffer.from('\0typed\n'))
  const [, oldOut, , text] = await fromOld
  expect(oldOut).toBe('typed\n')
  expect(text).toContain('command terminated with exit code 3')
  const newest = dial('shell/exec?command=cat&stdin=true&stdout=true', 'v5.channel.k8s.io')
  const fromNewest = channelsOf(newest)
  await once(newest, 'open')
  newest.send(Buffer.from('\0last words'))
  newest.send(Buffer.from([255, 0]))
  const [, said, , end = ''] = await fromNewest
  expect([said, JSON.parse(end)]).toEqual(['last words', { metadata: {}, status: 'Success' }])
})

test('forwards ports over the channels of a WebSocket', async () => {
  const socket = dial(`web/portforward?ports=${webPort}&ports=1`, 'v4.channel.k8s.io')
  const texts: Buffer[] = [0, 1, 2, 3].map(() => Buffer.alloc(0))
  let isComplete: () => void = () => undefined
  const complete = new Promise<void>((resolve) => {
    isComplete = resolve
  })
  socket.on('message', (data: Buffer) => {
    const channel = data[0] ?? 0
    texts[channel] = Buffer.concat([texts[channel] ?? Buffer.alloc(0), data.subarray(1)])
    if (texts[0]?.includes('GET /w') === true && (texts[3]?.length ?? 0) > 2) isComplete()
  })
  await once(socket, 'open')
  socket.send(Buffer.from('\0GET /w HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))
  await complete
  socket.terminate()
  expect(texts.map((text) => text.readUInt16LE(0))).toEqual([webPort, webPort, 1, 1])
  expect(String(texts[3])).toContain('error forwarding port 1 to pod web, uid : failed to connect')
})

test('who may only get may not get in', async () => {
  const guarded = await startTestApiServer(async () => ({
    streams: target.streams,
    authorize: (_user, { verb }) => verb === 'get' || { reason: 'reading only' },
  }))
  try {
    const socket = new WebSocket(
      `${guarded.server.url.replace('https', 'wss')}${PODS}/shell/exec?command=true&stdout=true`,
      'v5.channel.k8s.io',
      { ca: guarded.caPem, headers: { authorization: `Bearer ${guarded.token}` } },
    )
    const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
    let text = ''
    for await (const chunk of answer) text += String(chunk)
    expect(answer.statusCode).toBe(403)
    expect(JSON.parse(text)).toMatchObject({ reason: 'Forbidden', details: { name: 'shell' } })
  } finally {
    await guarded.close()
  }
})

interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

function start(method: string, path: string, headers: object = {}): ClientRequest {
  const { url, port } = target.server
  return request(`${url}${path}`, {
    method,
    port,
    ca: target.caPem,
    headers: { authorization: `Bearer ${target.token}`, ...headers },
    agent: false,
  })
}

function ask(
  method: string,
  path: string,
  { body, headers }: { readonly body?: string; readonly headers?: object },
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = start(method, path, headers)
    sent.once('error', reject)
    sent.once('response', (answer) => {
      let text = ''
      answer.on('data', (chunk) => {
        text += String(chunk)
      })
      answer.once('end', () => {
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text })
      })
    })
    sent.end(body)
  })
}

/** Runs a shell line on a terminal, and gives what it showed. */
function terminal(line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('/usr/bin/script', ['-q', '-e', '-c', line, '/dev/null'], {
      env: {
        ...{ PATH: process.env['PATH'], HOME: target.folder, SHELL: '/bin/sh' },
        KUBECONFIG: target.kubeconfig,
      },
    })
    let shown = ''
    child.stdout.on('data', (chunk) => {
      shown += String(chunk)
    })
    child.once('error', reject)
    child.once('close', () => resolve(shown))
  })
}

/** Waits until a file grows, or no longer does. */
async function grows(path: string, isGrowing: boolean): Promise<void> {
  for (let length = -1; ; ) {
    const now = (await readFile(path, 'utf8').catch(() => '')).length
    if (length >= 0 && now > length === isGrowing) return
    length = now
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function lineOf(child: ChildProcess, wanted: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const take = (chunk: unknown): void => {
      text += String(chunk)
      if (wanted.test(text)) resolve(text)
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    child.once('error', reject)
    child.once('close', () => reject(new Error(`it ended: ${text}`)))
  })
}
