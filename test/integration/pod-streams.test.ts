import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CommandResult, kubectlFor, type RunKubectl } from '../support/api-server.ts'
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
