import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RuntimeSettings } from '../../../examples/edgecore/open-runtime.ts'
import { leaveFormerRuntimes, stopAllPods } from '../../../examples/edgecore/used-runtimes.ts'
import { consoleLogger } from '../../../src/system.ts'

const SPEC = { namespace: 'shop', name: 'web', uid: 'u-1' }

let folder: string
let socket: string
let engine: Server
let asked: string[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'used-runtimes-'))
  socket = join(folder, 'engine.sock')
  asked = []
  engine = createServer(({ method, url = '' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://engine')
    const path = pathname.replace(/^\/v[\d.]+/, '')
    asked.push(`${method} ${path}`)
    const { label = [] } = JSON.parse(searchParams.get('filters') ?? '{}') as { label?: string[] }
    const labels = { ...Object.fromEntries(label.map((each) => each.split('='))), ...LABELS }
    if (path === '/containers/json') owned = labels
    const answer = answers(path)
    response.statusCode = method === 'DELETE' ? 500 : 200
    if (path !== '/events') response.end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => engine.listen(socket, resolve))
})

afterEach(async () => {
  engine.closeAllConnections()
  await new Promise((resolve) => engine.close(resolve))
  await rm(folder, { recursive: true })
})

const LABELS = {
  'io.kubernetes.pod.uid': SPEC.uid,
  'tideway.io/sandbox-attempt': '0',
  'tideway.io/spec': JSON.stringify(SPEC),
}
let owned: Readonly<Record<string, string>> = {}

/** An engine with the sandbox of one pod, which has ended. */
function answers(path: string): unknown {
  const id = { Id: 'pause-1' }
  if (path === '/version') return { Version: '24.0.0', ApiVersion: '1.43' }
  if (path === '/info') return {}
  if (path === '/containers/json')
    return [{ ...id, ImageID: 'i', State: 'exited', Created: 1, Labels: owned }]
  if (path === '/containers/pause-1/json') {
    const State = { Status: 'exited', Running: false, ExitCode: 0, Error: '' }
    return { ...id, Created: '2026-01-02T03:04:05Z', Image: 'i', State, Config: { Labels: owned } }
  }
  return { message: 'device or resource busy' }
}

function settings(over: Partial<RuntimeSettings> = {}): RuntimeSettings {
  return {
    data: folder,
    runtime: 'process',
    runtimeEndpoint: undefined,
    pauseImage: undefined,
    processIsolation: false,
    ...over,
  }
}

async function remember(used: unknown): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'runtimes.json'), JSON.stringify({ used }))
}

async function remembered(): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, 'runtimes.json'), 'utf8'))
}

test('an engine that does not let go of a pod keeps nobody from running the others', async () => {
  const former = { runtime: 'docker', runtimeEndpoint: socket }
  await remember([former])
  await leaveFormerRuntimes(settings(), consoleLogger('silent'))
  expect(asked).toContain('DELETE /containers/pause-1')
  expect(await remembered()).toEqual({ used: [former, { runtime: 'process' }] })
})

test('an engine by another name of its socket is the same', async () => {
  const link = join(folder, 'link.sock')
  await symlink(socket, link)
  await remember([{ runtime: 'docker', runtimeEndpoint: link }])
  const now = { runtime: 'docker', runtimeEndpoint: socket } as const
  await leaveFormerRuntimes(settings(now), consoleLogger('silent'))
  expect(asked).toEqual([])
  expect(await remembered()).toEqual({ used: [now] })
})

test('an engine that is gone for good keeps no pod of another one from being stopped', async () => {
  const gone = { runtime: 'docker', runtimeEndpoint: join(folder, 'gone.sock') }
  await remember([gone, { runtime: 'docker', runtimeEndpoint: socket }])
  const stopped = stopAllPods(settings(), consoleLogger('silent'))
  await expect(stopped).rejects.toMatchObject({ code: 'RUNTIME_UNREACHABLE' })
  expect(asked).toContain('DELETE /containers/pause-1')
})
