import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Image } from './image.ts'

/** A registry on this machine that gives images and takes none. */
export interface Registry {
  /** Such as `127.0.0.1:40123`: what names of its images begin with. */
  readonly address: string
  /** Gives `image` as `repository`:`tag` from now on. @returns its full name. */
  publish(repository: string, tag: string, image: Image): string
  /** How often a manifest or a layer was asked for. */
  readonly requests: number
  close(): Promise<void>
}

/** Whom the registry gives its images to. Default: to all. */
export interface RegistryOptions {
  readonly username: string
  readonly password: string
}

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'

/** Starts a registry: the part of the OCI distribution specification that pulls need. */
export async function startRegistry(login?: RegistryOptions): Promise<Registry> {
  const blobs = new Map<string, Buffer>()
  const tags = new Map<string, string>()
  let requests = 0
  const secret =
    login === undefined
      ? undefined
      : `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (secret !== undefined && request.headers.authorization !== secret) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="images"' })
      response.end('{"errors":[{"code":"UNAUTHORIZED"}]}')
      return
    }
    const { pathname } = new URL(request.url ?? '/', 'http://registry')
    if (pathname === '/v2/') return void response.end('{}')
    requests += 1
    const [, repository = '', kind, reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(pathname) ?? []
    const digest = reference.startsWith('sha256:')
      ? reference
      : tags.get(`${repository}:${reference}`)
    const body = digest === undefined ? undefined : blobs.get(digest)
    if (body === undefined || digest === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' })
      response.end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
      return
    }
    response.writeHead(200, {
      'content-type': kind === 'manifests' ? MANIFEST_TYPE : 'application/octet-stream',
      'content-length': body.length,
      'docker-content-digest': digest,
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  const server = createServer(answer)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    address,
    publish(repository, tag, image) {
      for (const [digest, body] of image.blobs) blobs.set(digest, body)
      tags.set(`${repository}:${tag}`, image.digest)
      return `${address}/${repository}:${tag}`
    },
    get requests() {
      return requests
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}
