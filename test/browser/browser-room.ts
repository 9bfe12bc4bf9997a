import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type JSHandle, type Page } from 'playwright-core'
import { FarDesk } from './far-desk.ts'
import { FAR_STATUS, type FarMethod } from './page/far-channel.ts'
import type { PageRoom } from './page/page-main.ts'

/** One page of a real browser that has loaded a bundle. */
export interface BrowserRoom {
  readonly page: Page
  /** What the page offers: an object of the page itself. */
  readonly room: JSHandle<PageRoom>
  /** What the page threw or rejected with where nobody waited for it. */
  readonly pageErrors: readonly Error[]
  /** Opens another tab of the same origin, which shares what the browser stores. */
  newTab(): Promise<PageTabRoom>
  /** Closes every tab but the first. */
  closeTabs(): Promise<void>
  /** Ends the browser with all its tabs and starts it again on what it has stored. */
  restart(): Promise<PageTabRoom>
  /** Sets how many bytes the browser gives the pages; undefined: as many as it would by itself. */
  setQuota(bytes: number | undefined): Promise<void>
  close(): Promise<void>
}

/** One page of a browser with its room. */
export interface PageTabRoom {
  readonly page: Page
  readonly room: JSHandle<PageRoom>
}

const ARGUMENTS = [
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const BODY_BYTES_MAX = 32 * 1_024 * 1_024
/** As strict as a site can be that has WebAssembly and WebSockets: no eval, no other origin. */
const CONTENT_POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws://127.0.0.1:*"
const HTML =
  '<!doctype html><title>Tideway</title><link rel="icon" href="data:,"><script type="module" src="/bundle.js"></script>'

/** Opens `executablePath` on a page with this bundle, on an empty profile that is removed again. */
export async function openBrowserRoom(executablePath: string, code: string): Promise<BrowserRoom> {
  const desk = new FarDesk()
  const server = createServer((request, response) => {
    respond(request, response, desk, code).catch((error: unknown) => {
      response.writeHead(500).end(String(error))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A profile on disk: one that is only in memory would keep what a page stores there, too.
  const profile = await mkdtemp(join(tmpdir(), 'tideway-profile-'))
  let context: BrowserContext | undefined
  const close = async () => {
    await context?.close()
    await desk.close()
    await stop(server)
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    const pageErrors: Error[] = []
    const { port } = server.address() as AddressInfo
    const origin = `http://127.0.0.1:${port}`
    let browser = await launch(executablePath, profile)
    context = browser
    const newTab = () => openTab(browser, { origin, desk, pageErrors })
    const { page, room } = await newTab()
    const devtools = await browser.newCDPSession(page)
    const closeTabs = async () => {
      const [, ...others] = browser.pages().filter((each) => !each.isClosed())
      for (const each of others) await each.close()
    }
    const restart = async () => {
      await browser.close()
      browser = await launch(executablePath, profile)
      context = browser
      return await newTab()
    }
    const setQuota = async (bytes: number | undefined) => {
      const quota = bytes === undefined ? { origin } : { origin, quotaSize: bytes }
      await devtools.send('Storage.overrideQuotaForOrigin', quota)
    }
    return { page, room, pageErrors, newTab, closeTabs, restart, setQuota, close }
  } catch (error) {
    await close()
    throw error
  }
}

function launch(executablePath: string, profile: string): Promise<BrowserContext> {
  // The sandbox refuses to start as root, as which most containers run; the pages are our own.
  const options = { executablePath, args: ARGUMENTS, chromiumSandbox: false }
  return chromium.launchPersistentContext(profile, options)
}

/** What a page has loaded: to be asked for again after a reload. */
export function roomOf(page: Page): Promise<JSHandle<PageRoom>> {
  return page.evaluateHandle(() => (globalThis as unknown as { readonly room: PageRoom }).room)
}

async function openTab(
  context: BrowserContext,
  {
    origin,
    desk,
    pageErrors,
  }: { readonly origin: string; readonly desk: FarDesk; readonly pageErrors: Error[] },
): Promise<PageTabRoom> {
  const page = await context.newPage()
  page.on('pageerror', (error) => pageErrors.push(error))
  await page.exposeFunction('farWait', (ticket: number) => desk.wait(ticket))
  await page.goto(`${origin}/`)
  const room = await roomOf(page)
  if (pageErrors[0] !== undefined) throw pageErrors[0]
  return { page, room }
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  desk: FarDesk,
  code: string,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  if (url.pathname === '/') {
    response.setHeader('content-security-policy', CONTENT_POLICY)
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(HTML)
  } else if (url.pathname === '/bundle.js') {
    response.setHeader('content-type', 'text/javascript; charset=utf-8')
    response.end(code)
  } else if (url.pathname === '/far') {
    const method = url.searchParams.get('method') as FarMethod
    const target = Number(url.searchParams.get('target'))
    const answer = desk.call(method, target, await bodyOf(request))
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(answer))
  } else if (url.pathname === '/next') {
    await respondNext(response, desk, Number(url.searchParams.get('target')))
  } else {
    response.writeHead(404).end()
  }
}

async function respondNext(response: ServerResponse, desk: FarDesk, target: number): Promise<void> {
  try {
    const message = await desk.next(target)
    if (message === undefined) response.writeHead(FAR_STATUS.end).end()
    else response.end(message)
  } catch (error) {
    response.writeHead(FAR_STATUS.thrown).end(JSON.stringify(desk.record(error)))
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > BODY_BYTES_MAX) throw new Error('the page sent more than a message')
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}
